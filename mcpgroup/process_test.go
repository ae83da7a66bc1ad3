package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// childConfig describes a stdio server that is this test binary in one of mcptest's modes.
func childConfig(mode string, args ...string) ServerConfig {
	command, argv, env := mcptest.ChildCommand(mode, args...)
	return ServerConfig{Command: command, Args: argv, Env: env}
}

// Scenario 55 over stdio; every user has a process.
func TestStdioServerRunsOncePerUser(t *testing.T) {
	g := newGroup(t, childConfig("honest"), &Options{
		Env: func(_ context.Context, key session.Key) (map[string]string, error) {
			return map[string]string{mcptest.EnvUser: key.User}, nil
		},
	})
	pids := map[string]bool{}
	for _, user := range []string{"alice", "bob", "alice"} {
		if got := mustCall(t, g, userContext(user), "whoami", nil).Text(); got != user {
			t.Errorf("whoami as %s = %q", user, got)
		}
		pids[mustCall(t, g, userContext(user), "pid", nil).Text()] = true
	}
	if len(pids) != 2 {
		t.Errorf("%d processes for two users", len(pids))
	}
}

// Servers that exit when they are asked for a newer revision, and servers that print before they speak.
func TestStdioServersOfAllMannersConnect(t *testing.T) {
	for _, mode := range []string{"honest", "old", "legacy", "banner", "stubborn", "forking"} {
		t.Run(mode, func(t *testing.T) {
			g := newGroup(t, childConfig(mode), nil)
			if got := mustCall(t, g, userContext("alice"), "echo", map[string]any{"text": "hi"}).Text(); got != "hi" {
				t.Errorf("echo = %q", got)
			}
		})
	}
}

func TestStdioServerThatDiesSaysWhy(t *testing.T) {
	g := newGroup(t, childConfig("exit"), nil)
	_, err := g.Call(userContext("alice"), "echo", nil)
	var down *UnavailableError
	if !errors.As(err, &down) || down.Stderr == "" || !strings.Contains(err.Error(), down.Stderr) {
		t.Errorf("Call = %v, want the end of the server's stderr in it", err)
	}
	command := filepath.Join(t.TempDir(), "no-such-server")
	missing := newGroup(t, ServerConfig{Command: command}, nil)
	if _, err := missing.Call(userContext("alice"), "echo", nil); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no-such-server") {
		t.Errorf("Call of a missing command = %v", err)
	}
}

// S9: of this process's environment the child sees six variables; its arguments arrive as they are.
func TestChildSeesOnlyTheEnvironmentItIsGiven(t *testing.T) {
	for i := range 20 {
		t.Setenv(fmt.Sprintf("PLANTED_SECRET_%d", i), "do-not-leak")
	}
	args := []string{"$(id)", "`id`", "a b", "a;b", "a|b", "a&b", "a>b", "a<b", "*", "?", "~", "$HOME", `"`, `'`, `\`, "a\nb", "!", "#", "(", "{a,b}"}
	cfg := childConfig("honest", args...)
	cfg.Env["CONFIGURED"] = "yes"
	g := newGroup(t, cfg, nil)
	ctx := userContext("alice")
	allowed := slices.AppendSeq([]string{"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"}, maps.Keys(cfg.Env))
	for _, line := range strings.Split(mustCall(t, g, ctx, "env", nil).Text(), "\n") {
		name, _, _ := strings.Cut(line, "=")
		if line != "" && !slices.Contains(allowed, name) {
			t.Errorf("the child sees %s", name)
		}
	}
	var got []string
	if err := json.Unmarshal([]byte(mustCall(t, g, ctx, "args", nil).Text()), &got); err != nil || !slices.Equal(got, args) {
		t.Errorf("arguments = %q, %v, want %q", got, err, args)
	}
}

// R5 in small: the server is killed over and over; what is not annotated runs at most once.
func TestKilledServerRunsNothingTwice(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	cfg := childConfig("honest")
	cfg.Env[mcptest.EnvJournal] = journal
	cfg.Trusted = true
	g := newGroup(t, cfg, nil)
	ctx := userContext("alice")
	pid := func() int {
		var pid int
		res, err := g.Call(ctx, "pid", nil)
		if err == nil {
			fmt.Sscan(res.Text(), &pid)
		}
		return pid
	}
	if pid() == 0 {
		t.Fatal("no process")
	}
	duration := time.Second
	if long {
		duration = time.Minute
	}
	stop := time.After(duration)
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked, unknown, notSent := map[string]bool{}, map[string]bool{}, map[string]bool{}
	ended := make(chan struct{})
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-ended:
					return
				default:
				}
				tool, key := "inc", fmt.Sprintf("inc-%d-%d", w, i)
				if i%2 == 1 {
					tool, key = "readonly_inc", fmt.Sprintf("ro-%d-%d", w, i)
				}
				_, err := g.Call(ctx, tool, map[string]any{"key": key})
				mu.Lock()
				var e *Error
				switch {
				case err == nil:
					acked[key] = true
				case !errors.As(err, &e):
					t.Errorf("untyped error %v", err)
				case e.Outcome == Unknown:
					unknown[key] = true
				default:
					notSent[key] = true
				}
				mu.Unlock()
			}
		})
	}
kill:
	for {
		select {
		case <-stop:
			break kill
		case <-time.After(50 * time.Millisecond):
			if p, err := os.FindProcess(pid()); err == nil && p.Pid > 0 {
				p.Kill()
			}
		}
	}
	close(ended)
	wg.Wait()
	ran, err := mcptest.JournalKeys(journal)
	if err != nil {
		t.Fatal(err)
	}
	for key, n := range ran {
		if strings.HasPrefix(key, "inc-") && n > 1 {
			t.Errorf("%s ran %d times", key, n)
		}
		if notSent[key] {
			t.Errorf("%s ran but was reported as not sent", key)
		}
	}
	for key := range acked {
		if ran[key] == 0 {
			t.Errorf("%s was acknowledged but did not run", key)
		}
	}
	t.Logf("%d acknowledged, %d unknown, %d not sent", len(acked), len(unknown), len(notSent))
	if len(acked) == 0 {
		t.Error("nothing got through")
	}
}

// A child that stops reading blocks its writer; the deadline of the call still holds.
func TestChildThatStopsReadingIsEnded(t *testing.T) {
	g := newGroup(t, childConfig("deaf"), nil)
	ctx := userContext("alice")
	err := g.WithSession(ctx, nopSession)
	if err != nil {
		t.Fatal(err)
	}
	tool := deafTool(g)
	_, err = tool.Call(ctx, map[string]any{"text": strings.Repeat("x", 1<<20)}, WithTimeout(300*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Call = %v, want its deadline", err)
	}
}

// R9: Close under callers of a server that ignores every polite request to end.
func TestCloseEndsAStubbornServer(t *testing.T) {
	g := newGroup(t, childConfig("stubborn"), nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "echo", map[string]any{"text": "x"})
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := g.Call(ctx, "sleep", map[string]any{"ms": 60_000}); !errors.Is(err, ErrClosed) {
				t.Errorf("call during Close = %v", err)
			}
		})
	}
	eventually(t, func() bool { return g.Status().Sessions.Leased == 1 })
	time.Sleep(50 * time.Millisecond)
	if err := g.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	wg.Wait()
	if n := len(mcptest.Children()); n != 0 {
		t.Errorf("%d children left", n)
	}
}

// R10: no process, no zombie and no descriptor is left of servers that fork.
func TestForkingServersLeaveNothingBehind(t *testing.T) {
	rounds := 10
	if long {
		rounds = 200
	}
	g := newGroup(t, childConfig("forking"), nil)
	ctx := userContext("alice")
	mustCall(t, g, ctx, "echo", map[string]any{"text": "x"})
	g.CleanupSessions(ctx, 0)
	eventually(t, func() bool { return len(mcptest.Children()) == 0 })
	files := mcptest.OpenFiles()
	var grandchildren []string
	for range rounds {
		grandchildren = append(grandchildren, mustCall(t, g, ctx, "grandchild", nil).Text())
		if n := g.CleanupSessions(ctx, 0); n != 1 {
			t.Fatalf("cleanup = %d", n)
		}
	}
	eventually(t, func() bool { return len(mcptest.Children()) == 0 })
	eventually(t, func() bool { return mcptest.OpenFiles() <= files })
	for _, pid := range grandchildren {
		eventually(t, func() bool { // a zombie waits for init, not for us
			return len(mcptest.Processes(func(p mcptest.Process) bool { return fmt.Sprint(p.PID) == pid && p.State != "Z" })) == 0
		})
	}
}
