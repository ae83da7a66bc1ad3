package rank

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/mcpfleet/mcpfleet/selector/internal/lexical"
)

// A tool is what the tests' catalogues are made of.
type tool struct{ server, name, description string }

// someTools are a small catalogue in which requests have known answers.
var someTools = []tool{
	{"github", "create_pull_request", "Open a pull request in a repository"},
	{"github", "list_pull_requests", "List the pull requests of a repository"},
	{"github", "merge_pull_request", "Merge a pull request"},
	{"github", "create_issue", "File an issue in a repository"},
	{"github", "delete_file", "Delete a file from a repository"},
	{"google-calendar", "list_events", "List the events of a calendar"},
	{"google-calendar", "create_event", "Add an event to a calendar"},
	{"google-calendar", "update_event", "Change time, place or guests of an event"},
	{"google-calendar", "delete_event", "Remove an event from a calendar"},
	{"slack", "post_message", "Send a message to a channel"},
	{"slack", "list_channels", "List the channels of a workspace"},
	{"slack", "get_channel_history", "Read the latest messages of a channel"},
	{"weather", "get_forecast", "Weather forecast for a place: rain, wind, temperature"},
	{"", "translate", "Translate a text into another language"},
	{"", "convert_units", "Convert a quantity from one unit to another"},
}

func newIndex(tools []tool) *Index {
	x := &Index{}
	numbers := map[string]int32{}
	docs := make([]lexical.Document, len(tools))
	for i, t := range tools {
		number, known := numbers[t.server]
		if !known {
			number = int32(len(x.Names))
			numbers[t.server] = number
			x.Names = append(x.Names, t.server)
		}
		x.Servers = append(x.Servers, number)
		x.Intents = append(x.Intents, IntentOf(t.name))
		docs[i] = lexical.Document{lexical.Server: t.server, lexical.Name: t.name, lexical.Description: t.description}
	}
	x.Lexical = lexical.New(nil).Append(docs...)
	return x
}

// cosinesOf is a stand-in for an embedder: how many words of the tool are in the text, with some noise that depends on both.
func cosinesOf(tools []tool) Cosines {
	return func(dst []float32, text string) bool {
		for i, t := range tools {
			n := 0
			for _, w := range strings.Fields(t.description) {
				if strings.Contains(text, w) {
					n++
				}
			}
			h := fnv.New32()
			fmt.Fprint(h, t, text)
			dst[i] = float32(n)/10 + float32(h.Sum32()%100)/1000
		}
		return text != ""
	}
}

// randomTools are tools with names and descriptions of few words, so that these collide.
func randomTools(rng *rand.Rand, n int) []tool {
	words := strings.Fields("create list delete update get issue event file message channel user board table query page weather map search send report")
	some := func(n int) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(words[rng.IntN(len(words))])
		}
		return b.String()
	}
	tools := make([]tool, n)
	for i := range tools {
		server := fmt.Sprintf("server%d", rng.IntN(5))
		if rng.IntN(8) == 0 {
			server = ""
		}
		tools[i] = tool{server, strings.ReplaceAll(some(2), " ", "_"), some(3 + rng.IntN(9))}
	}
	return tools
}

// best returns the name of the tool with the highest score.
func best(tools []tool, scores []float32) string {
	row := 0
	for i, v := range scores {
		if v > scores[row] {
			row = i
		}
	}
	return tools[row].name
}

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }
