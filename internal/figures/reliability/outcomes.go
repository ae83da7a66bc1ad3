package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// kills: a stdio server dies every 50 ms while eight callers of one user call it.
func kills(t *figures.Table) {
	const callers, every, length = 8, 50 * time.Millisecond, 20 * time.Second
	journal, remove := journalFile()
	defer remove()
	cfg := child("honest", map[string]string{mcptest.EnvJournal: journal})
	cfg.Trusted = true
	g := newGroup(cfg, nil)
	ctx := user(1)
	check(echo(ctx, g))

	var ended atomic.Bool
	var wg sync.WaitGroup
	var mu sync.Mutex
	writes, reads := newOutcomes(), newOutcomes()
	for w := range callers {
		wg.Go(func() {
			mine := map[string]*outcomes{"inc": newOutcomes(), "readonly_inc": newOutcomes()}
			for i := 0; !ended.Load(); i++ {
				for tool, o := range mine {
					k := fmt.Sprintf("%s-%d-%d", tool, w, i)
					_, err := g.Call(ctx, tool, key(k))
					o.add(k, err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			writes.merge(mine["inc"])
			reads.merge(mine["readonly_inc"])
		})
	}
	killed := 0
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(every)
		for _, c := range mcptest.Children() { // only the server's: the measurements follow one another
			if p, err := os.FindProcess(c.PID); err == nil && c.State != "Z" && p.Kill() == nil {
				killed++
			}
		}
	}
	ended.Store(true)
	wg.Wait()
	check(g.Close())
	ran, err := mcptest.JournalKeys(journal)
	check(err)

	doubles, wrong := twice(ran, "inc-"), writes.wrong(ran)+reads.wrong(ran)
	t.Row("R5: kill -9 every 50 ms: 0 calls that change something run twice",
		fmt.Sprintf("%d of %d ran twice, %d kills", doubles, len(writes.acked)+len(writes.unknown), killed),
		doubles == 0 && killed > 50 && len(writes.unknown) > 0)
	t.Row("R5: the journal refutes 0 outcomes told to callers",
		fmt.Sprintf("%d refuted, %d untyped", wrong, len(writes.untyped)+len(reads.untyped)), wrong == 0)
	total := len(reads.acked) + len(reads.unknown) + len(reads.notSent) + len(reads.failed)
	t.Row("R5: 0 read-only calls of a trusted server are lost",
		fmt.Sprintf("%d of %d, %.3f %% are acknowledged", total-len(reads.acked), total, 100*float64(len(reads.acked))/float64(total)),
		len(reads.acked) == total)
	t.Note("R5: calls that change something: %d acknowledged, %d unknown, %d not sent, %d failed; read-only: %d, %d, %d, %d",
		len(writes.acked), len(writes.unknown), len(writes.notSent), len(writes.failed),
		len(reads.acked), len(reads.unknown), len(reads.notSent), len(reads.failed))
	for _, err := range append(writes.untyped, reads.untyped...) {
		t.Note("R5: an untyped error: %.200s", err)
	}
}

// drops: the server executes every tenth call and cuts its connection, and every hundredth also the second time.
func drops(t *figures.Table) {
	const calls, callers = 10_000, 16
	run := func(tool string, trusted bool) (ran map[string]int, o *outcomes, most int) {
		l := newLab(mcptest.NewRaw(nil), mcpgroup.ServerConfig{Trusted: trusted}, nil)
		defer l.close()
		ctx := user(1)
		check(echo(ctx, l.group))
		l.Inject(mcptest.OnTool(tool, cutTenth()))
		o = newOutcomes()
		var mu sync.Mutex
		var wg sync.WaitGroup
		for w := range callers {
			wg.Go(func() {
				for i := w; i < calls; i += callers {
					k := fmt.Sprint(tool, "-", i)
					res, err := l.group.Call(ctx, tool, map[string]any{"key": k, "delayMs": 0})
					mu.Lock()
					o.add(k, err)
					if err == nil {
						most = max(most, res.Attempts)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		return l.Keys(), o, most
	}
	for _, trusted := range []bool{false, true} {
		trust := "untrusted"
		if trusted {
			trust = "trusted"
		}
		ran, o, _ := run("inc", trusted)
		told := len(o.acked) + len(o.unknown)
		t.Row(fmt.Sprintf("R6: 1,000 of 10,000 calls cut, %s: ran = acknowledged + unknown", trust),
			fmt.Sprintf("%d = %d + %d, %d ran twice, %d refuted", sum(ran), len(o.acked), len(o.unknown), twice(ran, ""), o.wrong(ran)),
			sum(ran) == told && told == calls && len(o.unknown) == calls/10 && twice(ran, "") == 0 && o.wrong(ran) == 0)
	}
	ran, o, most := run("idempotent_inc", true)
	t.Row("R6: idempotent calls of a trusted server: all ok within 3 attempts",
		fmt.Sprintf("%d ok, at most %d attempts, %d executions", len(o.acked), most, sum(ran)),
		len(o.acked) == calls && most == 3 && sum(ran) == calls+calls/10+calls/100)
	t.Note("R6: every tenth call is cut after its first execution; of the idempotent ones every hundredth after its second too")
}

// cutTenth cuts the connection after an execution by the number at the end of the call's key.
func cutTenth() mcptest.Fault {
	cut := mcptest.DropAfterExecution()
	var mu sync.Mutex
	seen := map[string]int{}
	return func(s *mcptest.Raw, w http.ResponseWriter, r *http.Request, hit mcptest.Hit) bool {
		var call struct {
			Params struct{ Arguments struct{ Key string } }
		}
		if json.Unmarshal(hit.Body, &call) != nil {
			return false
		}
		k := call.Params.Arguments.Key
		mu.Lock()
		seen[k]++
		n := seen[k]
		mu.Unlock()
		i, err := strconv.Atoi(k[strings.LastIndexByte(k, '-')+1:])
		return err == nil && (n == 1 && i%10 == 0 || n == 2 && i%100 == 0) && cut(s, w, r, hit)
	}
}

func sum(ran map[string]int) (n int) {
	for _, times := range ran {
		n += times
	}
	return n
}
