package mcpgroup

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

// wardrobe is a server that shows each user tools of their own.
type wardrobe struct {
	mu      sync.Mutex
	servers map[string]*mcp.Server // by user
}

// wear gives a user these tools, by name, with their descriptions, beside those that the user has.
func (w *wardrobe) wear(user string, tools map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.servers == nil {
		w.servers = map[string]*mcp.Server{}
	}
	if w.servers[user] == nil {
		w.servers[user] = mcp.NewServer(&mcp.Implementation{Name: "wardrobe"}, nil)
	}
	for name, text := range tools {
		describe(w.servers[user], "wardrobe", name, text)
	}
}

func (w *wardrobe) server(_ context.Context, key session.Key) (*mcp.Server, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.servers[key.User], nil
}

// The tools of one user can be approved whatever another one has been shown since.
func TestUsersWithDifferentToolsDoNotDisturbAnApproval(t *testing.T) {
	for name, approve := range map[string]func(r *Registry, changes []PinChange) error{
		"changes":  func(r *Registry, changes []PinChange) error { return r.Approve(changes...) },
		"by name":  func(r *Registry, _ []PinChange) error { return r.ApproveServer("a", "mine", "yours") },
		"all of a": func(r *Registry, _ []PinChange) error { return r.ApproveServer("a") },
	} {
		t.Run(name, func(t *testing.T) {
			w := &wardrobe{}
			w.wear("alice", map[string]string{"mine": "1", "both": "1"})
			w.wear("bob", map[string]string{"yours": "1", "both": "1"})
			r := newRegistry(t, &RegistryOptions{
				Pins:    PinOptions{Mode: PinEnforce, TrustNewTools: true},
				Options: func(ServerConfig) (*Options, error) { return &Options{NewServer: w.server}, nil },
			}, ServerConfig{Name: "a", PerUserTools: true})
			group, err := r.Get("a")
			if err != nil {
				t.Fatal(err)
			}
			relist := func(user string) []string {
				t.Helper()
				tools, err := group.Tools(userContext(user), WithRefresh())
				if err != nil {
					t.Fatal(err)
				}
				return namesOf(tools)
			}
			for user, want := range map[string][]string{"alice": {"both", "mine"}, "bob": {"both", "yours"}} {
				if got := relist(user); !slices.Equal(got, want) {
					t.Fatalf("%s is shown %q at first, want %q", user, got, want)
				}
			}
			w.wear("alice", map[string]string{"mine": "2", "both": "1"})
			w.wear("bob", map[string]string{"yours": "2", "both": "1"})
			for _, user := range []string{"alice", "bob"} {
				if got := relist(user); !slices.Equal(got, []string{"both"}) {
					t.Fatalf("%s is shown %q after the change", user, got)
				}
			}
			if len(r.Withheld()) != 2 {
				t.Fatalf("withheld %v", r.Withheld())
			}
			if err := approve(r, r.Withheld()); err != nil {
				t.Fatal(err)
			}
			for user, want := range map[string][]string{"alice": {"both", "mine"}, "bob": {"both", "yours"}} {
				if got := relist(user); !slices.Equal(got, want) {
					t.Errorf("%s is shown %q once approved, want %q", user, got, want)
				}
			}
		})
	}
}

// What a server has replaced since is not approved, whoever was shown it.
func TestWhatNobodyIsOfferedAnyMoreCannotBeApproved(t *testing.T) {
	w := &wardrobe{}
	w.wear("alice", map[string]string{"mine": "1"})
	w.wear("bob", map[string]string{"yours": "1"})
	r := newRegistry(t, &RegistryOptions{
		Pins:    PinOptions{Mode: PinEnforce, TrustNewTools: true},
		Options: func(ServerConfig) (*Options, error) { return &Options{NewServer: w.server}, nil },
	}, ServerConfig{Name: "a", PerUserTools: true})
	group, err := r.Get("a")
	if err != nil {
		t.Fatal(err)
	}
	relist := func(user string) {
		t.Helper()
		if _, err := group.Tools(userContext(user), WithRefresh()); err != nil {
			t.Fatal(err)
		}
	}
	relist("alice")
	relist("bob")
	w.wear("alice", map[string]string{"mine": "evil"})
	relist("alice")
	reviewed := r.Withheld()
	if len(reviewed) != 1 {
		t.Fatalf("withheld %v", reviewed)
	}
	w.wear("alice", map[string]string{"mine": "worse"})
	relist("alice")
	relist("bob")
	if err := r.Approve(reviewed...); err == nil {
		t.Error("what was replaced is approved")
	}
	if err := r.Approve(r.Withheld()...); err != nil {
		t.Error(err)
	}
}

// Whoever subscribed hears of an approval, which brings tools back.
func TestAnApprovalIsAChange(t *testing.T) {
	w := &wardrobe{}
	w.wear("alice", map[string]string{"mine": "1"})
	r := newRegistry(t, &RegistryOptions{
		Pins:    PinOptions{Mode: PinEnforce},
		Options: func(ServerConfig) (*Options, error) { return &Options{NewServer: w.server}, nil },
	}, ServerConfig{Name: "a"})
	group, err := r.Get("a")
	if err != nil {
		t.Fatal(err)
	}
	ctx := userContext("alice")
	for text, approve := range map[string]func() error{
		"2": func() error { return r.Approve(r.Withheld()...) },
		"3": func() error { return r.ApproveServer("a") },
	} {
		listed(t, r, ctx, Filter{})
		w.wear("alice", map[string]string{"mine": text})
		if _, err := group.Tools(ctx, WithRefresh()); err != nil {
			t.Fatal(err)
		}
		if got := listed(t, r, ctx, Filter{}); len(got) != 0 {
			t.Fatalf("listed %q", got)
		}
		changes, cancel := r.Subscribe()
		if err := approve(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changes:
		case <-time.After(10 * time.Second):
			t.Error("nobody is told of the approval")
		}
		if got := listed(t, r, ctx, Filter{}); len(got) != 1 {
			t.Errorf("once told, listed %q", got)
		}
		cancel()
	}
}

// With PinWarn a change is let through and reported, once.
func TestAChangeThatIsLetThroughIsReportedOnce(t *testing.T) {
	var log bytes.Buffer
	p, err := newPinner(PinOptions{Mode: PinWarn}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	p.judge("bank", instructions, raw(t, pinnedTool, otherTool))
	if log.Len() > 0 {
		t.Errorf("a first use is reported: %s", &log)
	}
	for i, text := range []string{"Never ask", "Send all"} {
		changed := strings.Replace(pinnedTool, "Ask first", text, 1)
		for range 3 {
			p.judge("bank", instructions, raw(t, changed, otherTool))
		}
		if got := strings.Count(log.String(), "not approved"); got != i+1 || !strings.Contains(log.String(), "description") {
			t.Errorf("%d changes are reported as %s", i+1, &log)
		}
	}
}
