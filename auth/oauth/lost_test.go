package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
)

// slept is a store whose next Save of a token comes too late: somebody else has saved one, before this one was obtained as
// clocks see it.
type slept struct {
	auth.TokenStore
	late bool
}

func (s *slept) Save(ctx context.Context, key auth.TokenKey, value []byte, ttl time.Duration) error {
	if key.Kind != "token" || !s.late {
		return s.TokenStore.Save(ctx, key, value, ttl)
	}
	s.late = false
	r, err := decodeRecord[tokenRecord](value)
	if err != nil {
		return err
	}
	theirs := bytes.Replace(value, []byte(`"access":"`+r.Access), []byte(`"access":"newer`), 1)
	at, _ := r.Obtained.MarshalText()
	before, _ := r.Obtained.Add(-time.Second).MarshalText()
	if err := s.TokenStore.Save(ctx, key, bytes.Replace(theirs, at, before, 1), ttl); err != nil {
		return err
	}
	return fmt.Errorf("saving: %w", auth.ErrLockLost)
}

// What could not be saved because somebody else has saved since is not saved later either.
func TestATokenOfALostLockIsLetGo(t *testing.T) {
	w := newWorld(t)
	s := &slept{TokenStore: auth.NewMemoryStore()}
	c := w.client(sharing(s))
	w.login(c, alice)
	w.mu.Lock()
	clear(w.access)
	w.mu.Unlock()
	s.late = true
	if _, err := w.call(t.Context(), c, alice); !errors.Is(err, auth.ErrLockLost) {
		t.Errorf("call whose token came too late: %v", err)
	}
	o := owner{"acme", "alice"}
	if err := c.locked(t.Context(), o, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if r, err := c.loadToken(t.Context(), o); err != nil || r == nil || r.Access[:5] != "newer" {
		t.Errorf("the store has %+v, %v; want the token of the other", r, err)
	}
}
