package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// restarts kills server-everything and starts it again on its port, twice between calls and twice during calls, and
// notes for every call around a kill what the caller got and how often the tool ran.
//
// What callers may notice follows from what can be known. A request that did not reach the server is sent again, by the
// new session that the first of the callers opens. A request that reached it and got no answer may have run: it is
// repeated only for a tool that changes nothing on a server that is believed to say so (lab.trusted), and its outcome is
// reported as unknown otherwise.
func restarts(ctx context.Context, in install, r *report) error {
	l, err := openLab(ctx, in)
	if err != nil {
		return err
	}
	defer l.close()
	for kill := 1; kill <= 4; kill++ {
		scenario := l.killBetweenCalls
		if kill > 2 {
			scenario = l.killDuringCalls
		}
		before := len(l.flights)
		if err := scenario(ctx, kill); err != nil {
			return fmt.Errorf("realservers: kill %d: %w", kill, err)
		}
		k := killed{Kill: kill, During: kill > 2}
		for _, f := range l.flights[before:] {
			if f.streamed {
				k.Streamed++
			} else {
				r.line(f.call)
			}
			k.count(f)
		}
		r.addKill(k)
	}
	a := audit(l.flights, l.proxy.ledger(), l.host.timesSampled)
	a.count(l.proxy.openings(), 1+len(r.kills))
	r.addAudit(a)
	return nil
}

// killBetweenCalls kills the server while nobody calls. Then several callers per user find out at the same time.
func (l *lab) killBetweenCalls(ctx context.Context, kill int) error {
	if err := l.restart(ctx, nil); err != nil {
		return err
	}
	var callers sync.WaitGroup
	for _, user := range users {
		for i := range 2 {
			callers.Go(func() { l.echo(ctx, l.trusted, user, fmt.Sprintf("%s-%d-echo-%d", user, kill, i), false) })
			callers.Go(func() { l.sample(ctx, l.trusted, user, fmt.Sprintf("%s-%d-sample-%d", user, kill, i)) })
		}
	}
	callers.Wait()
	return ctx.Err()
}

// killDuringCalls: when the server dies, each user has two long calls that may be repeated, two calls that may not, and a stream
// of short calls under way. More calls begin while the server is away.
func (l *lab) killDuringCalls(ctx context.Context, kill int) error {
	var callers sync.WaitGroup
	var reached []string // markers that have to be at the server before it is killed
	back := make(chan struct{})
	for _, user := range users {
		for i := range 2 {
			marker := fmt.Sprintf("%s-%d-long-%d", user, kill, i)
			reached = append(reached, marker)
			callers.Go(func() { l.long(ctx, l.trusted, user, marker) })
		}
		careful, slow := fmt.Sprintf("%s-%d-untrusted", user, kill), fmt.Sprintf("%s-%d%s", user, kill, slowSuffix)
		reached = append(reached, careful, slow)
		callers.Go(func() { l.long(ctx, l.untrusted, user, careful) })
		callers.Go(func() { l.sample(ctx, l.trusted, user, slow) })
		callers.Go(func() {
			for i, last := 0, false; !last && ctx.Err() == nil; i++ {
				select {
				case <-back:
					last = true
				default:
				}
				l.echo(ctx, l.trusted, user, fmt.Sprintf("%s-%d-stream-%d", user, kill, i), true)
			}
		})
	}
	err := l.await(ctx, reached)
	if err == nil {
		err = l.restart(ctx, func() {
			for _, user := range users {
				callers.Go(func() { l.sample(ctx, l.direct, user, fmt.Sprintf("%s-%d-away", user, kill)) })
			}
		})
	}
	close(back)
	callers.Wait()
	return errors.Join(err, ctx.Err())
}

// restart kills the server, runs away while it is gone, and starts it again.
func (l *lab) restart(ctx context.Context, away func()) (err error) {
	l.server.kill()
	l.proxy.nextGeneration()
	if away != nil {
		away()
	}
	l.server, err = startEverything(ctx, l.in, l.port)
	return err
}

// await waits until the calls with the markers are known to be at the server.
func (l *lab) await(ctx context.Context, markers []string) error {
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	for _, marker := range markers {
		for l.proxy.ledger()[marker].Ran == 0 {
			select {
			case <-ctx.Done():
				return fmt.Errorf("the call %s did not reach the server: %w", marker, ctx.Err())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}
