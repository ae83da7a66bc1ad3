package mcptest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// TB is what the helpers need of a [testing.TB].
type TB interface {
	Helper()
	Cleanup(func())
}

// Host serves a handler on a loopback port that stays its own while it is stopped, so that a test can kill a server and
// start it again where its clients look for it. It is safe for concurrent use.
type Host struct {
	addr    string
	handler http.Handler

	// handlers counts running handlers and the accept loop. It grows only under mu while closed is false, so that Close
	// can wait for it.
	handlers sync.WaitGroup

	// mu guards the fields below.
	mu     sync.Mutex
	server *http.Server // nil while stopped
	conns  map[net.Conn]struct{}
	closed bool
}

// Serve runs h on a free loopback port until the test ends.
func Serve(t TB, h http.Handler) *Host {
	t.Helper()
	host := Listen(h)
	t.Cleanup(host.Close)
	return host
}

// Listen starts serving h on a free loopback port. The caller must [Host.Close] it. It panics if there is no such port.
func Listen(h http.Handler) *Host {
	host := &Host{handler: h, conns: make(map[net.Conn]struct{})}
	// Ports below the range that the system hands out to clients: while the host is stopped, no outgoing connection of
	// this machine can take the port, or even connect to itself by dialing it.
	var err error
	for range 100 {
		host.addr = fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(17000))
		if err = host.listen(); err == nil {
			return host
		}
	}
	panic(fmt.Sprintf("mcptest: no free loopback port: %v", err))
}

// Addr returns "127.0.0.1:port".
func (h *Host) Addr() string { return h.addr }

// URL returns "http://127.0.0.1:port", without a path.
func (h *Host) URL() string { return "http://" + h.addr }

// Start serves again after a [Host.Stop], on the same port. On a running host it does nothing.
func (h *Host) Start() error {
	// Another process may hold the port for a moment; connections of our own that linger do not matter to Go's listener.
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := h.listen()
		if err == nil || errors.Is(err, http.ErrServerClosed) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (h *Host) listen() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return fmt.Errorf("mcptest: starting %s after Close: %w", h.addr, http.ErrServerClosed)
	}
	if h.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", h.addr)
	if err != nil {
		return fmt.Errorf("mcptest: starting %s again: %w", h.addr, err)
	}
	server := &http.Server{Handler: http.HandlerFunc(h.serve), ConnState: h.track}
	h.server = server
	h.handlers.Go(func() { _ = server.Serve(l) }) // ErrServerClosed: the only way it ends
	return nil
}

func (h *Host) serve(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	if h.closed { // the connection was cut before its first request was read
		h.mu.Unlock()
		return
	}
	h.handlers.Add(1)
	h.mu.Unlock()
	defer h.handlers.Done()
	h.handler.ServeHTTP(w, r)
}

// track keeps the open connections, which a hijacked one is until its handler closes it.
func (h *Host) track(conn net.Conn, state http.ConnState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch state {
	case http.StateNew:
		h.conns[conn] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(h.conns, conn)
	}
}

// Stop closes the listener and cuts every connection, as the death of the process would: clients see resets and refused
// connections. It does not wait for handlers, whose contexts end.
func (h *Host) Stop() {
	h.mu.Lock()
	server := h.server
	h.server = nil
	h.mu.Unlock()
	if server != nil {
		_ = server.Close() // the listener's error: it is closed either way
	}
}

// CutConnections cuts every connection but keeps listening, as a proxy or a flaky network does.
func (h *Host) CutConnections() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for conn := range h.conns {
		_ = conn.Close() // cut is cut
	}
}

// Connections returns how many connections are open.
func (h *Host) Connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// Close stops the host for good and waits until every handler has returned.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.Stop()
	h.handlers.Wait()
}
