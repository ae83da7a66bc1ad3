package main

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// A host answers what servers ask of the application: it plays the model for sampling and the person for elicitation.
// Its methods are safe for concurrent use.
type host struct {
	met chan struct{} // closed when all users were in a request for sampling at the same time

	mu      sync.Mutex
	present map[string]bool // users who have been in such a request
	sampled map[string]int  // requests by the marker in their prompt
	crossed int             // requests that arrived as another user's
	late    bool            // a user waited for the others in vain
}

// Prompts hold "marker=USER-..." so that the host can tell whose they are, and whether one arrives twice.
const markerPrefix = "marker="

// A marker of a prompt that is to be answered slowly ends so.
const slowSuffix = "-slow"

// slowAnswer is how long such a prompt takes, unless its session ends before.
const slowAnswer = 5 * time.Second

// meetingBound is how long the first user to be in a request for sampling waits there for the others.
const meetingBound = 15 * time.Second

func newHost() *host {
	return &host{met: make(chan struct{}), present: map[string]bool{}, sampled: map[string]int{}}
}

func (h *host) handlers() mcpgroup.Handlers {
	return mcpgroup.Handlers{Sample: h.sample, Elicit: h.elicit}
}

func (h *host) sample(ctx context.Context, key session.Key, req *mcp.CreateMessageWithToolsParams) (*mcp.CreateMessageWithToolsResult, error) {
	marker, marked := promptMarker(req)
	h.mu.Lock()
	if marked {
		h.sampled[marker]++
		if !strings.HasPrefix(marker, key.User+"-") {
			h.crossed++
		}
	}
	first := !h.present[key.User]
	h.present[key.User] = true
	if first && len(h.present) == len(users) {
		close(h.met)
	}
	h.mu.Unlock()

	var err error
	if first {
		err = h.meet(ctx)
	} else if strings.HasSuffix(marker, slowSuffix) {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(slowAnswer):
		}
	}
	if err != nil {
		return nil, err
	}
	return &mcp.CreateMessageWithToolsResult{
		Role: "assistant", Model: "example", StopReason: "endTurn",
		Content: []mcp.Content{&mcp.TextContent{Text: "an answer for " + key.User}},
	}, nil
}

// meet waits until every user is in a request: the proof that a call of each was at the server at the same time.
func (h *host) meet(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-h.met:
	case <-time.After(meetingBound):
		h.mu.Lock()
		defer h.mu.Unlock()
		h.late = true
	}
	return nil
}

func promptMarker(req *mcp.CreateMessageWithToolsParams) (string, bool) {
	data, err := json.Marshal(req.Messages)
	if err != nil {
		return "", false
	}
	_, rest, ok := strings.Cut(string(data), markerPrefix)
	marker, _, _ := strings.Cut(rest, `"`)
	return marker, ok
}

// elicit fills in the form; an invitation to open a web page is declined.
func (h *host) elicit(_ context.Context, key session.Key, req *mcp.ElicitParams) (*mcp.ElicitResult, error) {
	if req.Mode == "url" {
		return &mcp.ElicitResult{Action: "decline"}, nil
	}
	data, err := json.Marshal(req.RequestedSchema)
	if err != nil {
		return nil, err
	}
	var form map[string]any
	if err := json.Unmarshal(data, &form); err != nil {
		return nil, err
	}
	return &mcp.ElicitResult{Action: "accept", Content: object(form, key.User)}, nil
}

// timesSampled returns how often a prompt with the marker arrived.
func (h *host) timesSampled(marker string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sampled[marker]
}

// tally returns whether the server asked for sampling, whether it did so for all users at the same time, and how many
// requests arrived as another user's.
func (h *host) tally() (asked, met bool, crossed int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.present) > 0, len(h.present) == len(users) && !h.late, h.crossed
}
