// Package langchaingo gives MCP tools to langchaingo: to its agents, to its models, and to a tool-calling loop of its own.
//
// # Which one to use
//
//   - [Run] is the loop for models that call tools: it sends real schemas, runs the calls of one answer in parallel, and
//     needs no agent.
//   - Package agents, below this one, has an agent for langchaingo's executor, with its memory and callbacks.
//   - [Tools] fits every agent that langchaingo has, also those that speak text (ReAct), and those of others that take
//     its tools.
//   - [LLMTools] gives the definitions alone, for a loop of your own.
//
// All of them call for the user that the context names, so one set of tools serves all users:
//
//	ctx = session.NewContext(ctx, session.Key{Tenant: "acme", User: "alice"})
//	ts, err := group.Tools(ctx)
//	res, err := langchaingo.Run(ctx, model, ts, []llms.MessageContent{
//		llms.TextParts(llms.ChatMessageTypeHuman, "What is on my list?"),
//	}, nil)
//
// # Failures are answers
//
// A tool that fails does not end a run. What went wrong is told to the model in a text that begins with "Error: ", names
// the arguments to mend, and says whether the tool may have run. It never repeats the text of an error of this process,
// which may hold what a model provider must not see; [Options.OnResult] gets the error itself.
//
// # What providers make of tools
//
// langchaingo v0.1.14 hides less of its providers than one would like. googleai takes a part of JSON Schema only: set
// [Options.Schema] to [SchemaPortable]. Its ollama provider does not send tools at all: use [Tools] with a text agent.
// The rest is done by itself: see [Replay].
package langchaingo
