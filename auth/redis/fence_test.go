package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/mcpfleet/mcpfleet/auth"
)

const valueName = "mcpfleet:value:token/acme/alice/github//"

func mustSave(t *testing.T, s *Store, value string) {
	t.Helper()
	if err := s.Save(t.Context(), alice, []byte(value), 0); err != nil {
		t.Errorf("Save(%q) = %v", value, err)
	}
}

func mustLoad(t *testing.T, s *Store, want string) {
	t.Helper()
	if got, err := s.Load(t.Context(), alice); string(got) != want || err != nil {
		t.Errorf("Load = %q, %v; want %q", got, err, want)
	}
}

// asleep returns two processes of which the first has loaded "1" under the lock and lost it.
func asleep(t *testing.T) (m *miniredis.Miniredis, slow, quick *Store) {
	t.Helper()
	m, c := mini(t)
	slow, quick = New(Config{Client: c}), New(Config{Client: c})
	mustSave(t, slow, "1")
	t.Cleanup(mustLock(t, slow))
	mustLoad(t, slow, "1")
	m.Del(lockName) // it has slept for longer than LockTTL
	return m, slow, quick
}

// A process that sleeps between a refresh and its Save must not bring back a token that is used up.
func TestAHolderOfALostLockSavesNothingOverWhatOthersHaveSaved(t *testing.T) {
	for name, newer := range map[string][]byte{"saved": []byte("3"), "deleted": nil} {
		for _, unlocked := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, unlocked %t", name, unlocked), func(t *testing.T) {
				m, slow, quick := asleep(t)
				unlock := mustLock(t, quick)
				mustLoad(t, quick, "1")
				if err := quick.Save(t.Context(), alice, newer, 0); err != nil {
					t.Fatal(err)
				}
				if unlocked {
					unlock()
				} else {
					defer unlock()
				}
				for range 2 {
					if err := slow.Save(t.Context(), alice, []byte("2"), 0); !errors.Is(err, auth.ErrLockLost) {
						t.Errorf("Save = %v, want ErrLockLost", err)
					}
					// What is so already is no change, and no reason to allow one.
					if err := slow.Save(t.Context(), alice, newer, 0); err != nil {
						t.Errorf("Save of what there is = %v", err)
					}
				}
				if got, _ := m.Get(valueName); got != string(newer) {
					t.Errorf("the value is %q, want %q", got, newer)
				}
			})
		}
	}
}

// What a refresh has got is lost only if there is something newer.
func TestAHolderOfALostLockSavesIfNobodyElseHas(t *testing.T) {
	_, slow, quick := asleep(t)
	defer mustLock(t, quick)()
	mustSave(t, slow, "2")
	mustLoad(t, quick, "2")
	mustSave(t, slow, "3") // its own Save is not another's
	mustLoad(t, quick, "3")
}

// Whoever has the lock saves, whatever others do who have lost it.
func TestALateSaveDoesNotFenceTheHolder(t *testing.T) {
	_, slow, quick := asleep(t)
	defer mustLock(t, quick)()
	mustLoad(t, quick, "1")
	mustSave(t, slow, "2")
	mustSave(t, quick, "3")
	if err := slow.Save(t.Context(), alice, []byte("4"), 0); !errors.Is(err, auth.ErrLockLost) {
		t.Errorf("the second late Save = %v, want ErrLockLost", err)
	}
	mustLoad(t, quick, "3")
}

// Nobody knows what has become of the value since the lock was lost.
func TestAHolderOfALostLockThatHasLoadedNothingSavesNothing(t *testing.T) {
	m, c := mini(t)
	s := New(Config{Client: c})
	unlock := mustLock(t, s)
	mustSave(t, s, "1") // while it is held
	unlock()
	defer mustLock(t, s)()
	m.Del(lockName)
	if err := s.Save(t.Context(), alice, []byte("2"), 0); !errors.Is(err, auth.ErrLockLost) {
		t.Errorf("Save = %v, want ErrLockLost", err)
	}
}

func TestASaveWhoseAnswerWasLostCanBeRepeated(t *testing.T) {
	m, c := mini(t)
	l := &lossy{}
	c.AddHook(l)
	s := New(Config{Client: c})
	unlock := mustLock(t, s)
	mustSave(t, s, "1") // loads the scripts
	l.lose.Store(1)
	if err := s.Save(t.Context(), alice, []byte("2"), 0); !errors.Is(err, errLost) {
		t.Fatalf("Save = %v, want the loss", err)
	}
	m.Del(lockName)
	mustSave(t, s, "2")
	unlock()
	mustLoad(t, s, "2")
}

func TestTheTTLOfASaveUnderTheLockCounts(t *testing.T) {
	m, c := mini(t)
	s := New(Config{Client: c})
	defer mustLock(t, s)()
	for _, ttl := range []time.Duration{time.Minute, 0, time.Nanosecond, 3*time.Second + 5*time.Millisecond} {
		if err := s.Save(t.Context(), alice, []byte("v"), ttl); err != nil {
			t.Fatal(err)
		}
		want := ttl
		if ttl > 0 {
			want = max(ttl, time.Millisecond)
		}
		if got := m.TTL(valueName); got != want {
			t.Errorf("Save with the ttl %v gives %v, want %v", ttl, got, want)
		}
	}
	if err := s.Save(t.Context(), alice, []byte("v"), -time.Second); err != nil || m.Exists(valueName) {
		t.Errorf("Save with a negative ttl = %v, and the value is there: %t", err, m.Exists(valueName))
	}
}

// A process reads without the lock too, while another of its goroutines gives it back.
func TestALoadDuringAnUnlockIsNoLoss(t *testing.T) {
	_, c := mini(t)
	s := New(Config{Client: c})
	mustSave(t, s, "1")
	unlock := mustLock(t, s)
	looks := 0
	c.AddHook(ahead(func(cmd goredis.Cmder) {
		if cmd.Name() == "get" && cmd.Args()[1] == lockName {
			looks++
			unlock()
		}
	}))
	mustLoad(t, s, "1")
	if looks != 1 {
		t.Errorf("Load looked at the lock %d times; the test tests nothing", looks)
	}
}

// ahead calls a function with every command before it is sent.
type ahead func(cmd goredis.Cmder)

func (ahead) DialHook(next goredis.DialHook) goredis.DialHook { return next }
func (ahead) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}
func (a ahead) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		a(cmd)
		return next(ctx, cmd)
	}
}

// Three processes lock, lose locks, load and save at random. The twin knows who holds the lock and what each has seen.
func TestSavesUnderLocksAreThoseOfTheTwin(t *testing.T) {
	type process struct {
		*Store
		unlock func()
		seen   string
	}
	refused, late := 0, 0
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		m, c := mini(t)
		processes := []*process{{Store: New(Config{Client: c})}, {Store: New(Config{Client: c})}, {Store: New(Config{Client: c})}}
		var holder *process
		value := "" // "" is none
		for step := range 200 {
			p := processes[r.IntN(len(processes))]
			switch r.IntN(6) {
			case 0:
				if holder == nil && p.unlock == nil {
					p.unlock, p.seen = mustLock(t, p.Store), "?"
					holder = p
				}
			case 1:
				if p.unlock != nil {
					p.unlock()
					p.unlock = nil
					if holder == p {
						holder = nil
					}
				}
			case 2:
				m.Del(lockName)
				holder = nil
			case 3:
				got, err := p.Load(t.Context(), alice)
				switch {
				case p.unlock != nil && holder != p:
					if !errors.Is(err, auth.ErrLockLost) {
						t.Fatalf("seed %d, step %d: Load = %v, want ErrLockLost", seed, step, err)
					}
				case string(got) != value || errors.Is(err, auth.ErrNotFound) != (value == "") || err != nil && value != "":
					t.Fatalf("seed %d, step %d: Load = %q, %v; want %q", seed, step, got, err, value)
				default:
					p.seen = value
				}
			default:
				next := fmt.Sprint(step)
				if r.IntN(5) == 0 {
					next = ""
				}
				bytes := []byte(next)
				if next == "" {
					bytes = nil
				}
				err := p.Save(t.Context(), alice, bytes, 0)
				lost := p.unlock != nil && holder != p
				switch {
				case lost && p.seen != value && next != value:
					if refused++; !errors.Is(err, auth.ErrLockLost) {
						t.Fatalf("seed %d, step %d: Save = %v, want ErrLockLost", seed, step, err)
					}
				case err != nil:
					t.Fatalf("seed %d, step %d: Save = %v", seed, step, err)
				default:
					if lost {
						late++
					}
					if p.seen == value || next != value {
						p.seen = next
					}
					value = next
				}
			}
		}
		for _, p := range processes {
			if p.unlock != nil {
				p.unlock()
			}
		}
		m.Close()
	}
	if refused == 0 || late == 0 {
		t.Errorf("%d saves were refused and %d late ones made; the test tests nothing", refused, late)
	}
}
