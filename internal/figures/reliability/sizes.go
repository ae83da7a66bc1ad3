package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/metrics"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

const (
	limit      = 4 << 20   // [mcpgroup.ServerConfig.MaxResponseBytes] by default
	attackSize = 256 << 20 // of the big answers
)

// sizeAttacks are the faults that try to fill the client's memory, and whether their error has to say so.
var sizeAttacks = []struct {
	name     string
	tooLarge bool
}{
	{"big JSON result", true},
	{"gzip bomb", true},
	{"big event", true},
	{"big error body", false},
	{"deep JSON", false},
}

// attackerRole serves one hostile server per size attack, in a process of its own so that its memory is not counted as
// the client's. It prints where and runs until its input ends. The server of attack i is at /i/mcp.
func attackerRole([]string) {
	mux := http.NewServeMux()
	for i, attack := range sizeAttacks {
		mux.Handle(fmt.Sprintf("/%d/", i), mcptest.NewHostile(nil, faultNamed(attack.name)))
	}
	host := mcptest.Listen(mux)
	fmt.Println(host.URL())
	io.Copy(io.Discard, os.Stdin)
	host.Close()
}

func faultNamed(name string) mcptest.Fault {
	for _, a := range mcptest.Attacks(attackSize, "") {
		if a.Name == name {
			return a.Fault
		}
	}
	panic("figures-reliability: there is no attack " + name)
}

// sizes: answers of 256 MiB, and what they cost the client.
func sizes(t *figures.Table) {
	attacker := cast(context.Background(), "attacker", nil)
	attacker.Stderr = os.Stderr
	in, err := attacker.StdinPipe()
	check(err)
	out, err := attacker.StdoutPipe()
	check(err)
	check(attacker.Start())
	url, err := bufio.NewReader(out).ReadString('\n')
	check(err)
	for i, attack := range sizeAttacks {
		g := newGroup(mcpgroup.ServerConfig{URL: fmt.Sprintf("%s/%d/mcp", strings.TrimSpace(url), i), CallTimeout: 20 * time.Second}, nil)
		size(t, attack.name, g, attack.tooLarge, func(ctx context.Context) error {
			_, err := g.Call(ctx, mcptest.AttackTool, key("k"))
			return err
		})
	}
	check(in.Close())
	check(attacker.Wait())

	g := newGroup(child("honest", nil), nil)
	size(t, "stdio line of 64 MiB", g, true, func(ctx context.Context) error {
		_, err := g.Call(ctx, "big", map[string]any{"bytes": 64 << 20})
		return err
	})
	t.Note("S5: the bound is 4 times the 4 MiB that an answer may have; the heap's growth, at most of three attacks, is that of all objects, dead ones included, sampled every millisecond while the call runs; attacks of %d MiB come from another process", attackSize>>20)
}

// size lets the user "victim" be attacked while a bystander calls the same server.
func size(t *figures.Table, name string, g *mcpgroup.MCPFunctionGroup, tooLarge bool, attack func(context.Context) error) {
	victim, bystander := user(1), user(2)
	check(echo(victim, g))
	check(echo(bystander, g))
	session := sessionOf(bystander, g)

	// The bystander calls once per attack and not in a loop, since its garbage would be counted.
	var growth int64
	var refused error
	unaffected := true
	for range 3 {
		base := int64(mcptest.HeapInUse())
		stop, peak := make(chan struct{}), make(chan int64)
		go func() { peak <- peakHeap(stop) }()
		beside := make(chan error)
		go func() { beside <- echo(bystander, g) }()
		refused = attack(victim)
		close(stop)
		growth = max(growth, <-peak-base)
		unaffected = <-beside == nil && echo(bystander, g) == nil && sessionOf(bystander, g) == session && unaffected
		unaffected = echo(victim, g) == nil && unaffected
	}
	var typed *mcpgroup.Error
	isTyped := errors.As(refused, &typed) && (!tooLarge || errors.Is(refused, mcpgroup.ErrResultTooLarge)) && len(refused.Error()) < 4096
	got := fmt.Sprintf("%.1f MiB", float64(growth)/(1<<20))
	if !isTyped {
		got += ", error " + fmt.Sprintf("%.80v", refused)
	}
	if !unaffected {
		got += ", others noticed"
	}
	t.Row("S5: "+name+": heap <= +16 MiB, typed error, others unaffected", got, growth <= 4*limit && isTyped && unaffected)
	check(g.Close())
}

// sessionOf tells the user's session from the one that would replace it.
func sessionOf(ctx context.Context, g *mcpgroup.MCPFunctionGroup) (session *mcp.ClientSession) {
	check(g.WithSession(ctx, func(cs *mcp.ClientSession) error { session = cs; return nil }))
	return session
}

// peakHeap returns the most bytes that heap objects took until stop.
func peakHeap(stop <-chan struct{}) (peak int64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		metrics.Read(sample)
		peak = max(peak, int64(sample[0].Value.Uint64()))
		select {
		case <-stop:
			return peak
		case <-tick.C:
		}
	}
}
