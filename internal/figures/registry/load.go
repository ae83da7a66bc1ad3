package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// load is what callers do with a fleet while it changes.
type load struct {
	*yard
	reg   *mcpgroup.Registry
	stop  atomic.Bool
	calls []atomic.Int64 // by caller

	unchanged, changing, listed tally
	dated, stale                atomic.Int64 // answers that name their generation, and those of them that name a wrong one
	first                       sync.Map     // the first failure of every kind
}

// tally counts calls.
type tally struct{ all, failed atomic.Int64 }

func (t *tally) ok() bool { return t.failed.Load() == 0 && t.all.Load() > 0 }

func (t *tally) String() string { return fmt.Sprintf("%d of %d", t.failed.Load(), t.all.Load()) }

func (l *load) count(t *tally, kind string, err error) {
	t.all.Add(1)
	if err != nil {
		t.failed.Add(1)
		l.note(kind, err)
	}
}

func (l *load) note(kind string, err error) {
	l.first.LoadOrStore(kind, fmt.Sprintf("%s: %v", kind, err))
}

// wait returns when every caller has called since.
func (l *load) wait() {
	before := make([]int64, len(l.calls))
	for c := range l.calls {
		before[c] = l.calls[c].Load()
	}
	for c := range l.calls {
		for l.calls[c].Load() == before[c] {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

func (l *load) run(c int) {
	ctx := user(c % users)
	var tools []*mcpgroup.Tool // of an earlier configuration
	for ; !l.stop.Load(); l.calls[c].Add(1) {
		time.Sleep(time.Duration(rand.IntN(int(2 * time.Millisecond)))) // or the callers take all processors
		v := l.all[rand.IntN(len(l.all))]
		switch p := rand.IntN(20); {
		case p == 0:
			tools = l.list(ctx)
		case p == 1 && !v.guest:
			_, err := l.reg.Call(ctx, v.name+"__whoami", nil)
			l.count(&l.listed, "a call by name", err)
		case p <= 3 && len(tools) > 0:
			_, err := tools[rand.IntN(len(tools))].Call(ctx, nil)
			l.count(&l.listed, "a call of a listed tool", err)
		case p <= 5 && !v.guest:
			l.call(v, func() error {
				_, err := l.reg.Call(ctx, v.name+".sleep", map[string]any{"ms": rand.IntN(20)})
				return err
			})
		case v.guest:
			// It may be away. Nothing else is an error.
			if _, err := l.reg.Call(ctx, v.name+".whoami", nil); !errors.Is(err, mcpgroup.ErrServerNotFound) {
				l.count(&l.changing, "a call of a guest", err)
			}
		default:
			l.call(v, func() error { return l.whoami(ctx, v) })
		}
	}
}

// call counts a call with those of servers that changed under it or with the others.
func (l *load) call(v *vehicle, call func() error) {
	ended := v.ended.Load()
	err := call()
	if v.begun.Load() == ended {
		l.count(&l.unchanged, "a call of an unchanged server", err)
	} else {
		l.count(&l.changing, "a call of a changed server", err)
	}
}

// errStale says that a call was answered by a server that had been replaced, or by one that did not exist yet.
var errStale = errors.New("the answer is another generation's")

// whoami calls the tool of that name and looks whose answer it got.
func (l *load) whoami(ctx context.Context, v *vehicle) error {
	oldest := v.ended.Load()
	res, err := l.reg.Call(ctx, v.name+".whoami", nil)
	if err != nil {
		return err
	}
	newest := v.begun.Load()
	l.dated.Add(1)
	for g := oldest; g <= newest; g++ {
		if strings.Contains(res.Text(), mark(int(g))) {
			return nil
		}
	}
	l.stale.Add(1)
	l.note("an answer", fmt.Errorf("%w: %q of %s, want %d to %d", errStale, res.Text(), v.name, oldest, newest))
	return nil
}

// list lists the tools that take no arguments, and counts a listing that lacks one of a server that is always there.
func (l *load) list(ctx context.Context) (tools []*mcpgroup.Tool) {
	all, err := l.reg.List(ctx, mcpgroup.Filter{Search: "whoami"})
	if err != nil {
		l.count(&l.listed, "a listing", err)
		return nil
	}
	found := map[string]bool{}
	for _, t := range all.Tools {
		found[t.Server] = true
	}
	for _, v := range l.all {
		if !v.guest && !found[v.name] {
			err = errors.Join(err, fmt.Errorf("it lacks %s: %w", v.name, all.Unavailable[v.name]))
		}
	}
	for _, t := range all.Tools {
		if v := l.byName(t.Server); !v.guest {
			tools = append(tools, t)
		}
	}
	l.count(&l.listed, "a listing", err)
	return tools
}

func (y *yard) byName(name string) *vehicle {
	for _, v := range y.all {
		if v.name == name {
			return v
		}
	}
	return nil
}
