package mcpgroup

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/session"
)

// A member is one server of a registry as one configuration has it. A server that is configured anew is a new member; the
// old one is closed when the last operation on it has ended.
type member struct {
	cfg   ServerConfig
	group *MCPFunctionGroup // nil if the server is disabled
	chain *auth.Chain       // nil unless the server takes credentials
	own   bool              // it is the server of the registry's own tools

	live atomic.Bool // it is part of the registry: what happens to it is a change

	lags error // that it has not answered yet: every listing may have to say so

	left   chan struct{} // closed once it is retired
	unused chan struct{} // closed once it is retired and nothing is under way

	// mu guards all below. Nothing that can block runs while it is held.
	mu      sync.Mutex
	users   int  // operations under way
	retired bool // no new operations
	news    news
}

func newMember(cfg ServerConfig) *member {
	return &member{
		cfg: cfg, lags: &Error{Op: "list tools", Server: cfg.Name, Outcome: NotSent, Err: errLagging},
		left: make(chan struct{}), unused: make(chan struct{}),
	}
}

// list lists the tools for the user of ctx. It is called on goroutines of the registry, where a panic in what the host
// brought must not end the process.
func (m *member) list(ctx context.Context, refresh bool) (l *toolList, err error) {
	if e := protect("list tools", func() { l, err = m.group.list(ctx, refresh) }); e != nil {
		return nil, &Error{Op: "list tools", Server: m.cfg.Name, Outcome: NotSent, Err: e}
	}
	return l, err
}

// open reports whether the user of ctx may know of the server.
func (m *member) open(ctx context.Context) bool {
	if m.cfg.Tenant == "" {
		return true
	}
	key, _ := session.FromContext(ctx)
	return key.Tenant == m.cfg.Tenant
}

// use counts an operation. It reports false if the member has been taken out of the registry.
func (m *member) use() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.retired {
		return false
	}
	m.users++
	return true
}

// done is the counterpart of use.
func (m *member) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users--
	if m.retired && m.users == 0 {
		close(m.unused)
	}
}

// retire lets no new operation begin, and returns a channel that is closed when the last one has ended.
func (m *member) retire() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.retired {
		m.retired = true
		close(m.left)
		if m.users == 0 {
			close(m.unused)
		}
	}
	return m.unused
}
