// Package agents has an agent for langchaingo's executor that sends models the real schemas of MCP tools and acts on all
// tool calls of an answer. It is a package of its own because langchaingo's agents bring prompt templates and their
// dependencies, which [langchaingo.Run] does without.
//
//	agent, err := agents.New(model, tools, nil)
//	executor := lcagents.NewExecutor(agent, lcagents.WithMaxIterations(10))
//	answer, err := chains.Run(ctx, executor, "What is on my list?")
//
// The executor runs the calls of an answer one after another; [langchaingo.Run] runs them in parallel.
package agents
