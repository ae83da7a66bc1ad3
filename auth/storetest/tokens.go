package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

func testAbsent(t *testing.T, s tokens) {
	s.has(alice, nil)
	s.has(auth.TokenKey{}, nil)
}

func testValues(t *testing.T, s tokens) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, value := range [][]byte{[]byte("first"), []byte("second"), {}, {0}, all, bytes.Repeat(all, 1024), []byte("last")} {
		s.save(alice, value, 0)
		s.has(alice, value)
	}
}

func testDelete(t *testing.T, s tokens) {
	s.save(alice, nil, 0) // of what is not there
	s.save(alice, []byte("v"), 0)
	s.save(alice, nil, 0)
	s.has(alice, nil)
	s.save(alice, []byte("v"), time.Hour)
	s.save(alice, nil, time.Hour)
	s.has(alice, nil)
	s.save(alice, []byte("w"), 0)
	s.has(alice, []byte("w"))
}

func testTTL(t *testing.T, s tokens) {
	key := func(id string) auth.TokenKey { k := alice; k.ID = id; return k }
	short, long, v, w := s.o.TTL, 1000*s.o.TTL+time.Hour, []byte("v"), []byte("w")

	start := time.Now()
	s.save(key("alive"), v, short)
	got, err := s.Load(t.Context(), key("alive"))
	// A slow machine may have let the ttl pass.
	if time.Since(start) < short && (err != nil || !bytes.Equal(got, v)) {
		t.Errorf("Load before the ttl is over = %q, %v; want %q", got, err, v)
	}
	s.save(key("longer"), v, short)
	s.save(key("longer"), w, long)
	s.save(key("for ever"), v, short)
	s.save(key("for ever"), w, 0)
	s.save(key("shorter"), v, 0)
	s.save(key("shorter"), w, short)
	s.save(key("much shorter"), v, long)
	s.save(key("much shorter"), w, short)
	s.save(key("never ends"), v, 0)
	s.save(key("is over"), v, 0)
	s.save(key("is over"), w, -time.Second)
	s.save(key("is nearly over"), v, time.Nanosecond)
	s.o.Wait(2 * short)
	for id, want := range map[string][]byte{
		"alive": nil, "longer": w, "for ever": w, "shorter": nil, "much shorter": nil, "never ends": v, "is over": nil, "is nearly over": nil,
	} {
		s.has(key(id), want)
	}
	s.save(key("alive"), w, 0)
	s.has(key("alive"), w)
}

func testIsolation(t *testing.T, s tokens) {
	keys := tokenKeys()
	for i, key := range keys {
		s.has(key, nil)
		s.save(key, fmt.Appendf(nil, "value %d", i), 0)
	}
	for i, key := range keys {
		s.has(key, fmt.Appendf(nil, "value %d", i))
	}
	for i, key := range keys {
		if i%2 == 0 {
			s.save(key, nil, 0)
		}
	}
	for i, key := range keys {
		if i%2 == 0 {
			s.has(key, nil)
		} else {
			s.has(key, fmt.Appendf(nil, "value %d", i))
		}
	}
}

func testAliasing(t *testing.T, s tokens) {
	value := []byte("value")
	s.save(alice, value, 0)
	copy(value, "XXXXX")
	s.has(alice, []byte("value"))

	loaded, err := s.Load(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	copy(loaded, "YYYYY")
	s.has(alice, []byte("value"))

	passed := []byte("other")
	s.save(alice, passed, 0)
	if string(passed) != "other" {
		t.Errorf("Save changed the value it was given to %q", passed)
	}
}

func testRace(t *testing.T, s tokens) {
	const workers, rounds = 64, 20
	shared := alice
	shared.User = "everybody"
	s.save(shared, []byte("everybody 0"), 0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			own := alice
			own.User = fmt.Sprintf("user%d", w)
			for i := range rounds {
				value := fmt.Appendf(nil, "user%d %d", w, i)
				s.save(own, value, 0)
				s.has(own, value)
				s.save(shared, fmt.Appendf(nil, "everybody %d", i), 0)
				if got, err := s.Load(t.Context(), shared); err != nil || !bytes.HasPrefix(got, []byte("everybody ")) {
					t.Errorf("Load of the shared key = %q, %v", got, err)
				}
			}
			s.save(own, nil, 0)
			s.has(own, nil)
		})
	}
	wg.Wait()
}

func testReopen(t *testing.T, s tokens) {
	ended, deleted := alice, alice
	ended.ID, deleted.ID = "ended", "deleted"
	s.save(alice, []byte("v"), 0)
	s.save(ended, []byte("v"), s.o.TTL)
	s.save(deleted, []byte("v"), 0)
	s.save(deleted, nil, 0)
	s.o.Wait(2 * s.o.TTL)
	other := tokens{t, s.o.ReopenTokens(t, s.TokenStore), s.o}
	other.has(alice, []byte("v"))
	other.has(ended, nil)
	other.has(deleted, nil)
	other.save(alice, []byte("w"), 0)
	s.has(alice, []byte("w"))
}

func testUseUnderLock(t *testing.T, s tokens) {
	unlock := s.mustLock(alice)
	s.has(alice, nil)
	s.save(alice, []byte("v"), 0)
	unlock()
	s.has(alice, []byte("v"))
	unlock = s.mustLock(alice)
	s.save(alice, nil, 0)
	unlock()
	s.has(alice, nil)
	ctx, cancel := context.WithCancel(t.Context())
	unlock, err := s.lock(ctx, alice)
	if err != nil {
		t.Fatal(err)
	}
	cancel() // the context is for the waiting only
	s.save(alice, []byte("w"), 0)
	unlock()
	s.mustLock(alice)()
}
