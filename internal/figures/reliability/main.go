// The program reliability breaks servers, connections, callbacks and processes under a group and counts what the callers
// noticed. Without arguments it measures everything, which takes less than four minutes; arguments choose rows ("R5 S12").
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

type measurement struct {
	id  string
	run func(*figures.Table)
}

var measurements = []measurement{
	{"R3", sharedDial},
	{"R4", day},
	{"R5", kills},
	{"R6", drops},
	{"R7", restarts},
	{"R9", stubborn},
	{"R10", forks},
	{"R11", callbacks},
	{"S5", sizes},
	{"S6", schemas},
	{"S9", environment},
	{"S11", cursors},
	{"S12", stalls},
	{"S13", floods},
}

func main() {
	mcptest.ChildMain()
	playRole()
	log.SetFlags(0)
	chosen := os.Args[1:]
	for _, id := range chosen {
		if !slices.ContainsFunc(measurements, func(m measurement) bool { return m.id == id }) {
			log.Fatalf("figures-reliability: there is no row %q", id)
		}
	}
	if mcptest.OpenFiles() < 0 {
		figures.Absent("/proc tells nothing of processes and descriptors here; run this on Linux")
	}
	t := figures.New("reliability")
	start := time.Now()
	for _, m := range measurements {
		if len(chosen) == 0 || slices.Contains(chosen, m.id) {
			m.run(t)
		}
	}
	t.Note("measured in %.0f s; servers over HTTP run in the same process as their client unless a note says otherwise", time.Since(start).Seconds())
	t.Exit()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// lab is a raw server over HTTP and a group of it.
type lab struct {
	*mcptest.Raw
	host  *mcptest.Host
	group *mcpgroup.MCPFunctionGroup
}

func newLab(raw *mcptest.Raw, cfg mcpgroup.ServerConfig, opts *mcpgroup.Options) *lab {
	l := &lab{Raw: raw}
	l.host = mcptest.Listen(raw)
	cfg.URL = l.host.URL() + "/mcp"
	l.group = newGroup(cfg, opts)
	return l
}

func (l *lab) close() {
	l.SetHangInitialize(false)
	check(l.group.Close())
	l.host.Close()
}

func newGroup(cfg mcpgroup.ServerConfig, opts *mcpgroup.Options) *mcpgroup.MCPFunctionGroup {
	if cfg.Name == "" {
		cfg.Name = "lab"
	}
	g, err := mcpgroup.New(cfg, opts)
	check(err)
	return g
}

// child is the config of a stdio server that is this program in one of mcptest's modes, with env added.
func child(mode string, env map[string]string, args ...string) mcpgroup.ServerConfig {
	command, argv, own := mcptest.ChildCommand(mode, args...)
	maps.Copy(own, env)
	return mcpgroup.ServerConfig{Command: command, Args: argv, Env: own}
}

// journalFile is the path of a new journal and a function that removes it.
func journalFile() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "figures-reliability-")
	check(err)
	return filepath.Join(dir, "journal"), func() { check(os.RemoveAll(dir)) }
}

func user(i int) context.Context {
	return session.NewContext(context.Background(), session.Key{Tenant: "acme", User: fmt.Sprint("user-", i)})
}

func touch(*mcp.ClientSession) error { return nil }

func key(k string) map[string]any { return map[string]any{"key": k} }

func echo(ctx context.Context, g *mcpgroup.MCPFunctionGroup) error {
	_, err := g.Call(ctx, "echo", map[string]any{"text": "x"})
	return err
}

// eventually waits up to d for ok and reports whether it came.
func eventually(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// outcomes sorts calls by what their callers were told. Each key belongs to one call.
type outcomes struct {
	acked, unknown, notSent, failed map[string]bool
	untyped                         []error
	refusals                        map[string]int // errors of calls that were not sent or failed, by text
}

func newOutcomes() *outcomes {
	return &outcomes{acked: map[string]bool{}, unknown: map[string]bool{}, notSent: map[string]bool{}, failed: map[string]bool{},
		refusals: map[string]int{}}
}

// add is not safe for concurrent use.
func (o *outcomes) add(key string, err error) {
	var e *mcpgroup.Error
	switch {
	case err == nil:
		o.acked[key] = true
	case !errors.As(err, &e):
		o.untyped = append(o.untyped, err)
	case e.Outcome == mcpgroup.Unknown:
		o.unknown[key] = true
	case e.Outcome == mcpgroup.NotSent:
		o.notSent[key] = true
		o.refusals[e.Error()]++
	default:
		o.failed[key] = true
		o.refusals[e.Error()]++
	}
}

func (o *outcomes) merge(other *outcomes) {
	maps.Copy(o.acked, other.acked)
	maps.Copy(o.unknown, other.unknown)
	maps.Copy(o.notSent, other.notSent)
	maps.Copy(o.failed, other.failed)
	o.untyped = append(o.untyped, other.untyped...)
	for text, n := range other.refusals {
		o.refusals[text] += n
	}
}

// wrong counts the calls whose callers were told what the journal refutes: not sent, but it ran; acknowledged, but it did
// not; and an error that says nothing.
func (o *outcomes) wrong(ran map[string]int) int {
	n := len(o.untyped)
	for key := range o.notSent {
		n += min(ran[key], 1)
	}
	for key := range o.acked {
		if ran[key] == 0 {
			n++
		}
	}
	return n
}

// twice counts the keys with prefix that ran more than once.
func twice(ran map[string]int, prefix string) int {
	n := 0
	for key, times := range ran {
		if strings.HasPrefix(key, prefix) && times > 1 {
			n++
		}
	}
	return n
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
