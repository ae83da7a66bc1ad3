package linearizability

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/anishathalye/porcupine"
)

const (
	clients      = 4
	opsPerClient = 5
)

// sessions is a map under test, with one ID.
type sessions interface {
	acquire() (lease, failure)
	tryAcquire() lease           // nil for none
	visit(fn func(session int8)) // calls fn for the session, if there is one
	cleanup() int
	close()
	drain() // waits until every Close callback has returned
}

// lease is a reference to a session.
type lease interface {
	session() int8
	release()
	kill() bool
}

var errDial = errors.New("the dial fails")

// run is one history in the making. Its methods dial and hangUp are the callbacks of the map under test.
type run struct {
	clock atomic.Int64 // stamps operations, so that no two stamps are equal
	seed  uint64
	dials atomic.Int32

	mu     sync.Mutex // guards opened and ended
	opened []int8
	ended  []porcupine.Operation
}

// dial opens the next session; one in sixteen fails.
func (r *run) dial() (int8, error) {
	n := r.dials.Add(1)
	rng := rand.New(rand.NewPCG(r.seed, uint64(n)))
	yield(rng)
	if rng.IntN(16) == 0 {
		return 0, errDial
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened = append(r.opened, int8(n))
	return int8(n), nil
}

// hangUp closes a session. What is recorded ends when it begins: from there on nobody may get the session.
func (r *run) hangUp(session int8) {
	op := porcupine.Operation{ClientId: clients + int(session), Input: input{kind: closed, session: session}, Output: output{}}
	op.Call, op.Return = r.clock.Add(1), r.clock.Add(1)
	r.mu.Lock()
	r.ended = append(r.ended, op)
	r.mu.Unlock()
	yield(rand.New(rand.NewPCG(r.seed, uint64(session)<<32)))
}

// yield lets others run, or lets a little time pass, so that operations meet inside of each other. The pauses are of all
// lengths: with processors to spare it takes nanoseconds to meet, without them it takes the scheduler.
func yield(rng *rand.Rand) {
	if rng.IntN(2) == 0 {
		runtime.Gosched()
	}
	for n := rng.IntN(1 << rng.IntN(10)); n > 0; n-- {
		spun.Load()
	}
}

var spun atomic.Int32

// history is what the clients of one run saw.
type history struct {
	ops    []porcupine.Operation
	opened []int8 // the sessions that were dialled
}

// record runs the clients against the map that open makes.
func record(seed uint64, open func(*run) sessions) history {
	r := &run{seed: seed}
	m := open(r)
	rng := rand.New(rand.NewPCG(seed, 0))

	all := make([]*client, clients)
	for i := range all {
		all[i] = &client{run: r, m: m, id: i, rng: rand.New(rand.NewPCG(seed, uint64(i)<<48|1))}
	}
	if rng.IntN(4) > 0 { // most races need an idle session to begin with
		all[0].do(acquire)
		all[0].giveBack()
	}
	var ready, done sync.WaitGroup
	var begin atomic.Bool
	for _, c := range all {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			for !begin.Load() {
				runtime.Gosched()
			}
			for range opsPerClient {
				yield(c.rng)
				c.do(c.choose())
			}
			c.giveBack()
		})
	}
	ready.Wait()
	begin.Store(true)
	done.Wait()
	all[0].do(closeMap)
	m.drain()

	h := history{ops: r.ended, opened: r.opened}
	for _, c := range all {
		h.ops = append(h.ops, c.ops...)
	}
	slices.SortFunc(h.ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	return h
}

// client is one of the goroutines of a history.
type client struct {
	run  *run
	m    sessions
	id   int
	rng  *rand.Rand
	held []lease
	ops  []porcupine.Operation
}

// choose returns an operation that c can do now.
func (c *client) choose() kind {
	switch n := c.rng.IntN(100); {
	case n < 2:
		return closeMap
	case n < 25:
		return cleanup
	case n < 30:
		return tryAcquire
	case n < 35:
		return visit
	case len(c.held) == 0 || n < 45:
		return acquire
	case n < 55:
		return kill
	default:
		return release
	}
}

func (c *client) do(k kind) {
	in, out := input{kind: k}, output{}
	var l lease
	if k == release || k == kill {
		i := c.rng.IntN(len(c.held))
		if l = c.held[i]; k == release {
			c.held = slices.Delete(c.held, i, i+1)
		}
		in.session = l.session()
	}
	call := c.run.clock.Add(1)
	switch k {
	case acquire:
		l, out.err = c.m.acquire()
	case tryAcquire:
		l = c.m.tryAcquire()
	case visit:
		// Up to the callback it is an operation that gets a session, and from its end on one that gives it back.
		c.m.visit(func(session int8) {
			c.record(in, output{session: session}, call)
			yield(c.rng)
			in, call = input{kind: release, session: session}, c.run.clock.Add(1)
		})
	case release:
		l.release()
	case kill:
		out.won = l.kill()
	case cleanup:
		out.n = c.m.cleanup()
	case closeMap:
		c.m.close()
	}
	if l != nil && (k == acquire || k == tryAcquire) {
		out.session = l.session()
		c.held = append(c.held, l)
	}
	c.record(in, out, call)
}

// record notes an operation that ends now.
func (c *client) record(in input, out output, call int64) {
	c.ops = append(c.ops, porcupine.Operation{ClientId: c.id, Input: in, Output: out, Call: call, Return: c.run.clock.Add(1)})
}

// giveBack releases what c holds.
func (c *client) giveBack() {
	for len(c.held) > 0 {
		c.do(release)
	}
}

// violation returns what is wrong with h, or "".
func (h history) violation() string {
	if !porcupine.CheckOperations(specification, h.ops) {
		return "no order of these operations explains what they answered:\n" + h.String()
	}
	for _, s := range h.opened {
		if !slices.ContainsFunc(h.ops, func(op porcupine.Operation) bool { return op.Input == input{kind: closed, session: s} }) {
			return fmt.Sprintf("session %d was never closed:\n%s", s, h)
		}
	}
	return ""
}

// overlaps returns how many pairs of operations ran at the same time.
func (h history) overlaps() int {
	n := 0
	for i, op := range h.ops {
		for _, earlier := range h.ops[:i] {
			if op.Call < earlier.Return {
				n++
			}
		}
	}
	return n
}

// String lists the operations in the order of their calls.
func (h history) String() string {
	var b strings.Builder
	for _, op := range h.ops {
		who := fmt.Sprintf("client %d", op.ClientId)
		if op.Input.(input).kind == closed {
			who = "map"
		}
		fmt.Fprintf(&b, "%4d - %4d  %-8s  %s\n", op.Call, op.Return, who, describe(op.Input.(input), op.Output.(output)))
	}
	return b.String()
}
