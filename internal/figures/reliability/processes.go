package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// terminate is how long a stdio server gets for each step of its end.
const terminate = 2 * time.Second

// stubborn: a group is closed under 64 callers of eight processes that ignore SIGTERM and the end of their input.
func stubborn(t *figures.Table) {
	const users, each = 8, 8
	journal, remove := journalFile()
	defer remove()
	g := newGroup(child("stubborn", map[string]string{mcptest.EnvJournal: journal}), nil)
	for u := range users {
		check(echo(user(u), g))
	}
	var told, returned atomic.Bool // somebody was told that the group is closed; Close has returned
	var late, otherwise atomic.Int64
	var wg sync.WaitGroup
	for c := range users * each {
		wg.Go(func() {
			for i := 0; ; i++ {
				last, after := returned.Load(), told.Load()
				k := fmt.Sprintf("early-%d-%d", c, i)
				if after {
					k = fmt.Sprintf("late-%d-%d", c, i)
					late.Add(1)
				}
				_, err := g.Call(user(c%users), "inc", map[string]any{"key": k, "delayMs": 20})
				switch {
				case errors.Is(err, mcpgroup.ErrClosed):
					told.Store(true)
				case after:
					otherwise.Add(1) // it was not refused
				}
				if last {
					return
				}
				if after {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	start := time.Now()
	first := g.Close()
	took := time.Since(start)
	returned.Store(true)
	wg.Wait()
	second := g.Close()
	ran, err := mcptest.JournalKeys(journal)
	check(err)
	started := 0
	for k := range ran {
		if strings.HasPrefix(k, "late-") {
			started++
		}
	}
	left := len(mcptest.Children())
	t.Row("R9: Close under 64 callers, SIGTERM ignored: <= 2 x 2 s + 1 s",
		fmt.Sprintf("%s, error %v, %d processes", seconds(took), first, left), took <= 2*terminate+time.Second && first == nil && left == 0)
	t.Row("R9: 0 calls start afterwards, closing again is nil",
		fmt.Sprintf("%d of %d started, second Close: %v", started+int(otherwise.Load()), late.Load(), second),
		started == 0 && otherwise.Load() == 0 && late.Load() > 0 && second == nil && len(ran) > 0)
	t.Note("R9: afterwards begins when the first caller is told that the group is closed, %d calls ran before", len(ran))
}

// forks: servers with a child of their own that outlives them are started and stopped.
func forks(t *figures.Table) {
	const batches, users = 5, 40
	g := newGroup(child("forking", map[string]string{mcptest.EnvLifetime: "5m"}), nil)
	pid := func(u int, tool string) int {
		res, err := g.Call(user(u), tool, nil)
		check(err)
		n, err := strconv.Atoi(res.Text())
		check(err)
		return n
	}
	var groups, all []int
	batch := func(users int) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for u := range users {
			wg.Go(func() {
				server, grandchild := pid(u, "pid"), pid(u, "grandchild")
				mu.Lock()
				defer mu.Unlock()
				groups = append(groups, server)
				all = append(all, server, grandchild)
			})
		}
		wg.Wait()
		g.CleanupSessions(user(0), 0)
		eventually(20*time.Second, func() bool {
			s := g.Status().Sessions
			return s.Sessions == 0 && s.Closing == 0
		})
	}
	batch(1) // what the runtime opens the first time stays open
	before := mcptest.OpenFiles()
	for range batches {
		batch(users)
	}
	files := mcptest.OpenFiles() - before
	ours := mcptest.Processes(func(p mcptest.Process) bool {
		return slices.Contains(all, p.PID) || slices.Contains(groups, p.Group) || p.Parent == os.Getpid()
	})
	zombies, orphans := 0, 0
	for _, p := range ours {
		switch {
		case p.State != "Z":
			orphans++
		case p.Parent == os.Getpid():
			zombies++
		}
	}
	check(g.Close())
	starts := len(groups) - 1
	t.Row("R10: 200 starts and stops of a forking server leave nothing",
		fmt.Sprintf("%d: %d zombies, %d orphans, %+d descriptors", starts, zombies, orphans, files),
		starts == batches*users && zombies == 0 && orphans == 0 && files == 0)
	t.Note("R10: %d batches of %d servers at a time", batches, users)
}

// environment: of this process's environment a server sees six variables, and its arguments arrive as they are.
func environment(t *figures.Table) {
	const secrets = 20
	for i := range secrets {
		name := fmt.Sprintf("PLANTED_SECRET_%d", i)
		check(os.Setenv(name, "do-not-leak"))
		defer os.Unsetenv(name)
	}
	args := []string{"$(id)", "`id`", "a b", "a;b", "a|b", "a&b", "a>b", "a<b", "*", "?", "~", "$HOME", `"`, `'`, `\`, "a\nb", "!", "#", "(", "{a,b}"}
	cfg := child("honest", map[string]string{"CONFIGURED": "yes"}, args...)
	g := newGroup(cfg, nil)
	ctx := user(1)
	text := func(tool string) string {
		res, err := g.Call(ctx, tool, nil)
		check(err)
		return res.Text()
	}
	allowed := slices.AppendSeq([]string{"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"}, maps.Keys(cfg.Env))
	leaked, configured := 0, false
	for line := range strings.Lines(text("env")) {
		name, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		configured = configured || name == "CONFIGURED"
		if !slices.Contains(allowed, name) {
			leaked++
		}
	}
	var got []string
	check(json.Unmarshal([]byte(text("args")), &got))
	verbatim := 0
	for i := range min(len(got), len(args)) {
		if got[i] == args[i] {
			verbatim++
		}
	}
	pid, err := strconv.Atoi(text("pid"))
	check(err)
	direct := len(mcptest.Processes(func(p mcptest.Process) bool { return p.PID == pid && p.Parent == os.Getpid() })) == 1
	check(g.Close())
	t.Row("S9: a server sees 6 variables and its own; 20 odd arguments verbatim",
		fmt.Sprintf("%d others, %d of %d arguments, no shell: %v", leaked, verbatim, len(args), direct),
		leaked == 0 && configured && verbatim == len(args) && len(got) == len(args) && direct)
}
