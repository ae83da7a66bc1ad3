package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
)

// A client stands for whatever is kept open per user.
type client struct{ user string }

func newMap() *session.Map[*client] {
	return session.New(session.Config[*client]{
		Dial: func(_ context.Context, id session.ID) (*client, error) {
			fmt.Println("dial", id.Key.User)
			return &client{id.Key.User}, nil
		},
		Close: func(c *client, _ session.ID, reason session.Reason) {
			fmt.Println("close", c.user, reason)
		},
		IdleTimeout: 10 * time.Minute,
	})
}

func idOf(user string) session.ID {
	return session.ID{Key: session.Key{Tenant: "acme", User: user}}
}

func ExampleMap_Acquire() {
	m := newMap()
	defer m.Close()

	for range 2 {
		ref, err := m.Acquire(context.Background(), idOf("alice"))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("use", ref.Value().user)
		ref.Release()
	}
	// Output:
	// dial alice
	// use alice
	// use alice
	// close alice closed
}

func ExampleMap_Kill() {
	m := newMap()
	ref, _ := m.Acquire(context.Background(), idOf("alice"))
	fmt.Println("I found it dead:", m.Kill(ref))
	fmt.Println("somebody else did too:", m.Kill(ref))

	replacement, _ := m.Acquire(context.Background(), idOf("alice"))
	fmt.Println("newer:", replacement.Generation() > ref.Generation())
	replacement.Release()

	ref.Release() // closes the dead one
	if err := m.Drain(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// dial alice
	// I found it dead: true
	// somebody else did too: false
	// dial alice
	// newer: true
	// close alice killed
	// close alice closed
}

func ExampleMap_Retire() {
	m := newMap()
	ref, _ := m.Acquire(context.Background(), idOf("alice"))
	ref.Release()

	n := m.Retire(func(id session.ID) bool { return id.Key.User == "alice" })
	fmt.Println("retired", n)
	m.Close() // waits for the Close functions
	// Unordered output:
	// dial alice
	// retired 1
	// close alice retired
}

func ExampleMap_CleanupSessions() {
	m := newMap()
	defer m.Close()
	held, _ := m.Acquire(context.Background(), idOf("alice"))
	idle, _ := m.Acquire(context.Background(), idOf("bob"))
	idle.Release()

	fmt.Println("closing", m.CleanupSessions(0))
	m.Close()
	held.Release()
	_ = m.Drain(context.Background())
	// Unordered output:
	// dial alice
	// dial bob
	// closing 1
	// close bob cleanup
	// close alice closed
}

func ExampleMap_Drain() {
	m := newMap()
	ref, _ := m.Acquire(context.Background(), idOf("alice"))

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(m.Drain(ctx))

	ref.Release()
	fmt.Println(m.Drain(context.Background()))
	// Output:
	// dial alice
	// session: draining: 1 session left (1 in use, 0 closing, 0 being opened): context deadline exceeded
	// close alice closed
	// <nil>
}

func ExampleMap_Range() {
	m := newMap()
	defer m.Close()
	ref, _ := m.Acquire(context.Background(), idOf("alice"))
	defer ref.Release()
	m.Range(func(id session.ID, c *client) bool {
		fmt.Println(id, c.user)
		return true
	})
	// Output:
	// dial alice
	// acme/alice alice
	// close alice closed
}

func ExampleMap_Stats() {
	m := newMap()
	defer m.Close()
	ref, _ := m.Acquire(context.Background(), idOf("alice"))
	defer ref.Release()
	stats := m.Stats()
	fmt.Println(stats.Sessions, stats.Leased, stats.Idle, stats.Dials)
	// Output:
	// dial alice
	// 1 1 0 1
	// close alice closed
}

func ExampleMiddleware() {
	identify := func(r *http.Request) (session.Key, error) {
		if r.Header.Get("Authorization") != "Bearer secret" { // verify a real token here
			return session.Key{}, errors.New("bad token")
		}
		return session.Key{Tenant: "acme", User: "alice"}, nil
	}
	handler := session.Middleware(identify)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := session.FromContext(r.Context())
		fmt.Fprint(w, "hello ", key.User)
	}))

	for _, token := range []string{"Bearer secret", "Bearer guess"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 hello alice
	// 401 Unauthorized
}

func ExampleKey_Validate() {
	fmt.Println(session.Key{Tenant: "acme", User: "alice"}.Validate())
	fmt.Println(session.Key{Tenant: "acme", User: "default_user"}.Validate())
	// Output:
	// <nil>
	// session: identity refused: User is a placeholder (defaultuser); pass the key of an authenticated user
}

func ExampleNewContext() {
	ctx := session.NewContext(context.Background(), session.Key{Tenant: "acme", User: "alice"})
	fmt.Println(session.FromContext(ctx))
	// Output:
	// acme/alice true
}
