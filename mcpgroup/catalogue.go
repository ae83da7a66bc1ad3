package mcpgroup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/sync/singleflight"

	"github.com/mcpfleet/mcpfleet/internal/schema"
	"github.com/mcpfleet/mcpfleet/session"
)

const (
	// minRefresh is the least time between two fetches of one list, whatever the server notifies.
	minRefresh = time.Second
	// maxLists bounds the lists that are kept for users and tenants.
	maxLists = 4096
)

// catalogue holds the tool lists of a server: one for all users of a tenant, or one per user where the server says that
// it differs. Lists are immutable snapshots, so readers of a list never lock.
type catalogue struct {
	g *MCPFunctionGroup
	// private is set once the server marked a list as its user's own (SEP-2549, cacheScope).
	private atomic.Bool
	maxSize int // of a list, for tests; 0 is maxListSize

	// mu guards lists and known. Nothing that can block runs while it is held.
	mu sync.RWMutex
	// lists are the lists by who sees them: a user with their principal, or a tenant alone.
	lists map[session.ID]*tracker
	// known finds lists of equal content, so that a thousand users with the same tools hold them once.
	known map[[sha256.Size]byte]weak.Pointer[toolList]
}

// tracker follows one list over time.
type tracker struct {
	current atomic.Pointer[listing]
	stale   atomic.Bool  // a change was notified after current was fetched
	fetched atomic.Int64 // when the last fetch began, whether or not it succeeded, in Unix nanoseconds
	flight  singleflight.Group

	// lagging says that the server kept a registry's listing waiting for longer than it is worth. Nobody waits for this
	// list again until it has come.
	lagging  atomic.Bool
	fetching atomic.Bool // while it lags, somebody asks for it in the background

	// failed is what a registry's last fetch failed with, unless that is one user's own: nil if it did not. It is told to those
	// who see the list, for what fails for one user need not fail for another.
	failed atomic.Pointer[failedListing]
}

type failedListing struct {
	err error
	at  time.Time
}

// listing is a tool list and how long it holds.
type listing struct {
	*toolList
	expires    time.Time // zero: until a change is notified
	revalidate bool      // the server gives no time: serve it, but look again in the background
	notified   bool      // it holds because changes are notified, so only as long as a connection is there to hear them
}

// toolList is what one fetch of the tools came to.
type toolList struct {
	tools    []*Tool // sorted by exposed name
	byName   map[string]*Tool
	hash     [sha256.Size]byte
	problems []Problem
	withheld []PinChange
	// instructions are the server's own words on what it is for, if nobody else has any.
	instructions string
}

// Problem is something about a server's tools that was put right or left out.
type Problem struct {
	Tool   string // the server's name of the tool, bounded and cleaned, or empty when it concerns the list
	Reason string
}

func compareProblems(a, b Problem) int {
	return cmp.Or(strings.Compare(a.Tool, b.Tool), strings.Compare(a.Reason, b.Reason))
}

// tracker returns the list that id sees. What one tenant's credentials brought to light is not shown to another.
func (c *catalogue) tracker(id session.ID) *tracker {
	if !c.perUser() {
		id = session.ID{Key: session.Key{Tenant: id.Key.Tenant}}
	}
	c.mu.RLock()
	t := c.lists[id]
	c.mu.RUnlock()
	if t != nil {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.lists[id]; t != nil {
		return t
	}
	if len(c.lists) >= maxLists {
		for other := range c.lists { // any one: it is fetched again when somebody asks for it
			delete(c.lists, other)
			break
		}
	}
	t = &tracker{}
	c.lists[id] = t
	return t
}

func (c *catalogue) perUser() bool { return c.g.cfg.PerUserTools || c.private.Load() }

// forget drops the list of a user whose session is gone for good.
func (c *catalogue) forget(id session.ID) {
	if ofTenant(id) { // a shared client is gone, but its users' lists are their tenants'
		return
	}
	c.mu.Lock()
	delete(c.lists, id)
	c.mu.Unlock()
}

// forgetShared drops the lists that users shared, once it turns out that they must not.
func (c *catalogue) forgetShared() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.lists {
		if ofTenant(id) {
			delete(c.lists, id)
		}
	}
}

// ofTenant reports whether the list of id is that of a tenant, or of nobody in particular.
func ofTenant(id session.ID) bool { return id == session.ID{Key: session.Key{Tenant: id.Key.Tenant}} }

// changed marks all lists. A notification comes on the connection of one user, but what has changed may concern all.
func (c *catalogue) changed() {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, t := range c.lists {
		t.stale.Store(true)
	}
}

// expire has every list fetched when it is next asked for, however short ago the last time was.
func (c *catalogue) expire() {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, t := range c.lists {
		t.stale.Store(true)
		t.fetched.Store(0)
	}
}

// withheld returns what keeps tools out of the lists, each once.
func (c *catalogue) withheld() (all []PinChange) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	seen := map[string]bool{}
	for _, t := range c.lists {
		if l := t.current.Load(); l != nil {
			for _, change := range l.withheld {
				if id := string(change.Kind) + " " + change.New + " " + change.Tool; !seen[id] {
					seen[id] = true
					all = append(all, change)
				}
			}
		}
	}
	slices.SortFunc(all, comparePinChanges)
	return all
}

// shared returns how many tools that pass the users of a tenant share, of the longest list; 0 where lists differ by user.
func (c *catalogue) shared(pass func(*Tool) bool) (most int) {
	if c.perUser() {
		return 0
	}
	var lists []*listing
	c.mu.RLock()
	for id, t := range c.lists {
		if l := t.current.Load(); l != nil && ofTenant(id) {
			lists = append(lists, l)
		}
	}
	c.mu.RUnlock()
	for _, l := range lists { // a policy of the host decides
		n := 0
		for _, t := range l.tools {
			if pass(t) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// deaf marks the lists that nobody would now tell us of changes of: that of id, whose connection is gone, or with last
// all of them.
func (c *catalogue) deaf(id session.ID, last bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !last {
		if t := c.lists[id]; t != nil {
			t.deaf()
		}
		return
	}
	for _, t := range c.lists {
		t.deaf()
	}
}

func (t *tracker) deaf() {
	if l := t.current.Load(); l != nil && l.notified {
		t.stale.Store(true)
	}
}

// get returns the list for id. A list that may be out of date is fetched first, unless it was a moment ago; if that
// fails, the last known one is served.
func (c *catalogue) get(ctx context.Context, id session.ID, force bool) (*toolList, error) {
	t := c.tracker(id)
	l := t.current.Load()
	if l != nil && !force && c.serves(ctx, id, t, l) {
		return l.toolList, nil
	}
	fetch := c.fetcher(ctx, id, t)
	select {
	case <-ctx.Done():
		if l != nil && !force {
			return l.toolList, nil
		}
		return nil, &Error{Op: "list tools", Server: c.g.cfg.Name, Outcome: NotSent, Err: ctx.Err()}
	case res := <-t.flight.DoChan("", fetch):
		fetched := res.Val.(*fetched)
		// Another user's fetch does not answer for id if it found that lists are private, or if it failed for a reason
		// that is that user's own.
		if fetched.id != id && (c.tracker(id) != t || personal(res.Err)) {
			return c.get(ctx, id, force)
		}
		if res.Err == nil {
			return fetched.list, nil
		}
		if l != nil && !c.g.closed.Load() {
			c.g.log.Warn("mcpgroup: serving the last known tools", "server", c.g.cfg.Name, "error", res.Err)
			return l.toolList, nil
		}
		return nil, res.Err
	}
}

// serves reports whether l, the list of t, is good enough for now. It may have it looked at again in the background.
func (c *catalogue) serves(ctx context.Context, id session.ID, t *tracker, l *listing) bool {
	expired := !l.expires.IsZero() && time.Now().After(l.expires)
	switch {
	case !t.stale.Load() && !expired:
		return true
	case time.Since(time.Unix(0, t.fetched.Load())) < minRefresh:
		return true
	case l.revalidate && !t.stale.Load():
		t.flight.DoChan("", c.fetcher(ctx, id, t))
		return true
	}
	return false
}

// peek returns the list that is known for id, or nil, and whether it is good enough for now. It waits for nothing.
func (c *catalogue) peek(ctx context.Context, id session.ID) (t *tracker, l *toolList, good bool) {
	t = c.tracker(id)
	known := t.current.Load()
	if known == nil {
		return t, nil, false
	}
	return t, known.toolList, c.serves(ctx, id, t, known)
}

// personal reports whether err has to do with who asked.
func personal(err error) bool {
	var credential *CredentialError
	var identity *session.IdentityError
	var limit *session.LimitError
	return errors.As(err, &credential) || errors.As(err, &identity) || errors.Is(err, ErrUnauthorized) || errors.As(err, &limit) && limit.PerUser
}

// fetcher returns the function that fetches id's list into t. It runs detached from the caller, since others wait for
// it too, and reports a panic in a callback as an error.
func (c *catalogue) fetcher(ctx context.Context, id session.ID, t *tracker) func() (any, error) {
	ctx = context.WithoutCancel(ctx)
	return func() (_ any, err error) {
		f := &fetched{id: id}
		if e := protect("list tools", func() { f.list, err = c.fetch(ctx, id, t) }); e != nil {
			return f, e
		}
		return f, err
	}
}

// fetched is what a fetch came to, and for whom it was.
type fetched struct {
	id   session.ID
	list *toolList
}

func (c *catalogue) fetch(ctx context.Context, id session.ID, t *tracker) (*toolList, error) {
	t.fetched.Store(time.Now().UnixNano())
	t.stale.Store(false) // a notification from here on is about a later list
	raw, err := c.g.listTools(ctx, id)
	c.g.noteSync(err)
	if err != nil {
		t.stale.Store(true)
		return nil, err
	}
	if raw.private && !c.g.cfg.PerUserTools {
		c.private.Store(true)
		c.forgetShared()
		t = c.tracker(id)
	}
	l := &listing{toolList: c.intern(raw), notified: raw.notifies}
	switch {
	case raw.ttl > 0:
		l.expires = time.Now().Add(raw.ttl)
	case raw.stateless && !raw.notifies:
		l.expires, l.revalidate = time.Now().Add(minRefresh), true
	case (!raw.notifies || c.g.chain != nil) && c.g.cfg.ToolsTTL > 0: // a stream over HTTP may be refused, or break for long
		l.expires = time.Now().Add(c.g.cfg.ToolsTTL)
	}
	if before := t.current.Swap(l); c.g.listed != nil && (before == nil || before.hash != l.hash) {
		c.g.listed()
	}
	return l.toolList, nil
}

// intern returns the list made of raw, or an equal one that some user already holds.
func (c *catalogue) intern(raw *rawList) *toolList {
	h := sha256.New()
	enc := json.NewEncoder(h) // encoding/json sorts the keys of maps
	for _, t := range raw.tools {
		_ = enc.Encode(t)
	}
	fmt.Fprint(h, raw.truncated, raw.badHeaders, raw.stateless)
	_ = enc.Encode(raw.instructions)
	_ = enc.Encode(raw.withheld) // not its text: that is the same for one unapproved text and another
	hash := [sha256.Size]byte(h.Sum(nil))

	c.mu.Lock()
	known := c.known[hash].Value()
	c.mu.Unlock()
	if known != nil {
		return known
	}
	l := c.g.build(raw)
	l.hash = hash
	c.mu.Lock()
	defer c.mu.Unlock()
	for h, p := range c.known {
		if p.Value() == nil {
			delete(c.known, h)
		}
	}
	c.known[hash] = weak.Make(l)
	return l
}

// rawList is the tool list as the server sent it.
type rawList struct {
	tools      []*mcp.Tool
	truncated  error
	badHeaders map[string]bool // tools whose x-mcp-header the SDK refuses
	ttl        time.Duration   // the shortest of all pages; 0 when the server gave none
	private    bool
	stateless  bool
	notifies   bool // changes of this list are notified to us
	withheld   []PinChange

	instructions string
}

func (g *MCPFunctionGroup) listTools(ctx context.Context, id session.ID) (*rawList, error) {
	var raw *rawList
	fetch := func(ctx context.Context, c *conn) error {
		raw = &rawList{badHeaders: map[string]bool{}, stateless: c.stateless()}
		if caps := c.cs.InitializeResult().Capabilities; caps != nil {
			if caps.Tools == nil && (caps.Resources != nil || caps.Prompts != nil) {
				return nil // a server of resources or prompts only
			}
			raw.notifies = caps.Tools != nil && caps.Tools.ListChanged && (g.chain == nil || g.streams())
		}
		if g.cfg.Description == "" {
			raw.instructions = cleanText(c.cs.InitializeResult().Instructions, maxInstructions)
		}
		var err error
		var wire []rawTool
		var tooLarge error
		size := 0
		raw.tools, raw.truncated, err = pages(func(cursor string) ([]*mcp.Tool, string, error) {
			ctx, got := capture(ctx)
			ctx, seen := captureWire(ctx)
			kept, err := c.cs.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor})
			if err != nil {
				return nil, "", err
			}
			page, ok := got.result.(*mcp.ListToolsResult)
			if !ok {
				return nil, "", errors.New("the SDK returned no tool list")
			}
			for _, t := range withHeaderParams(page.Tools) {
				raw.badHeaders[t.Name] = !slices.Contains(kept.Tools, t)
			}
			if ttl := time.Duration(page.TTLMs) * time.Millisecond; cursor == "" || ttl < raw.ttl {
				raw.ttl = max(ttl, 0)
			}
			raw.private = raw.private || page.CacheScope == "private"
			if g.pins != nil {
				wire = append(wire, rawTools(page.Tools, seen.Result())...)
			}
			if size += sizeOf(page.Tools); size > cmp.Or(g.catalogue.maxSize, maxListSize) && page.NextCursor != "" {
				tooLarge = errListTooLarge
				return page.Tools, "", nil
			}
			return page.Tools, page.NextCursor, nil
		})
		if raw.truncated == nil {
			raw.truncated = tooLarge
		}
		if err == nil && g.pins != nil {
			_, raw.withheld = g.pins.judge(g.cfg.Name, c.cs.InitializeResult().Instructions, wire)
		}
		return err
	}
	timeout := g.cfg.CallTimeout
	if timeout <= 0 { // others wait for this fetch, and its caller's context does not end it
		timeout = defaultCallTimeout
	}
	deadline := time.Now().Add(timeout)
	if g.cfg.Shared {
		id = session.ID{} // the list is the user's, the client is everybody's
	}
	if _, err := g.do(ctx, id, deadline, operation{"list tools", "", true, runFunc(fetch)}); err != nil {
		return nil, err
	}
	return raw, nil
}

// build makes the tools that agents see. A tool that cannot be shown is left out and reported; it never hides the rest.
func (g *MCPFunctionGroup) build(raw *rawList) *toolList {
	l := &toolList{byName: make(map[string]*Tool, len(raw.tools)), withheld: raw.withheld, instructions: raw.instructions}
	problem := func(tool, format string, args ...any) {
		l.problems = append(l.problems, Problem{Tool: cleanText(tool, 128), Reason: fmt.Sprintf(format, args...)})
	}
	if raw.truncated != nil {
		problem("", "%v", raw.truncated)
	}
	var all []string
	for _, t := range raw.tools {
		if t != nil {
			all = append(all, t.Name)
		}
	}
	for name := range g.cfg.Overrides {
		if !slices.Contains(all, name) {
			problem(name, "the server has no tool of this name, so its override does nothing")
		}
	}
	if unknown := g.match.unknown(all); len(unknown) > 0 {
		problem("", "include or exclude names tools that the server does not have: %q", unknown)
	}

	for _, c := range raw.withheld {
		problem(c.Tool, "%s; it is withheld until approved", c)
	}

	var tools []*Tool
	var names []nameRequest
	headers := &headerTools{}
	withheld := withholds(raw.withheld)
	for _, m := range raw.tools {
		if m == nil || !g.match.match(m.Name) || withheld(m.Name) {
			continue
		}
		if raw.badHeaders[m.Name] {
			problem(m.Name, "its x-mcp-header annotations are invalid (SEP-2243)")
			continue
		}
		in, err := schema.Compile(m.InputSchema, nil)
		if err != nil {
			problem(m.Name, "its input schema is refused: %v", err)
			continue
		}
		override := g.cfg.Overrides[m.Name]
		t := &Tool{
			OriginalName: m.Name, Server: g.cfg.Name,
			Title: cleanText(m.Title, maxTitle), Description: cleanText(m.Description, maxDescription),
			Annotations: cleanAnnotations(m.Annotations), Icons: m.Icons, Meta: m.Meta,
			group: g, input: in,
		}
		if override.Description != "" {
			t.Description = override.Description
		}
		if s, ok := m.InputSchema.(map[string]any); !ok {
			t.InputSchema = map[string]any{"type": "object"}
		} else if t.InputSchema, err = cleanSchema(s); err != nil {
			problem(m.Name, "its input schema is refused: %v", err)
			continue
		}
		if t.OutputSchema, err = shownOutputSchema(m.OutputSchema); err != nil {
			problem(m.Name, "its output schema is left out: %v", err)
		}
		if raw.stateless && hasHeaderParams(m.InputSchema) {
			t.headers = headers
			headers.tools = append(headers.tools, m)
		}
		tools = append(tools, t)
		names = append(names, nameRequest{Original: m.Name, Alias: override.Alias, Server: g.cfg.Name})
	}

	renamed := map[string]string{}
	for i, r := range g.cfg.Names.assign(names) {
		if r.Err != nil {
			problem(tools[i].OriginalName, "%v", r.Err)
			continue
		}
		t := tools[i]
		t.Name = r.Exposed
		if t.Name != t.OriginalName {
			renamed[t.OriginalName] = t.Name
		}
		l.tools = append(l.tools, t)
		l.byName[t.Name] = t
	}
	if len(renamed) > 0 {
		for _, t := range l.tools {
			if g.cfg.Overrides[t.OriginalName].Description == "" {
				t.Description = renameInText(t.Description, renamed)
			}
		}
	}
	for _, t := range l.tools {
		t.sum = sumOf(t)
	}
	slices.SortFunc(l.tools, func(a, b *Tool) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(l.problems, compareProblems)
	for _, p := range l.problems {
		g.log.Warn("mcpgroup: tool list", "server", g.cfg.Name, "tool", p.Tool, "problem", p.Reason)
	}
	return l
}

// cleanAnnotations cleans the one text among a tool's hints.
func cleanAnnotations(a *mcp.ToolAnnotations) *mcp.ToolAnnotations {
	if a == nil {
		return nil
	}
	own := *a
	own.Title = cleanText(a.Title, maxTitle)
	return &own
}

const (
	maxTitle       = 256      // bytes of a tool's title
	maxDescription = 16 << 10 // bytes of a tool's description
	// maxInstructions bounds what a server says of itself where nobody else does, in bytes. It helps to choose among servers
	// and is sent to no model.
	maxInstructions = 1 << 10
)

// sumOf returns a hash of what an agent sees of a tool beside its name.
func sumOf(t *Tool) [sha256.Size]byte {
	h := sha256.New()
	// Neither an error nor a value that JSON cannot tell from another matters: the server's JSON is where it came from.
	_ = json.NewEncoder(h).Encode([]any{t.OriginalName, t.Title, t.Description, t.InputSchema, t.OutputSchema, t.Annotations})
	return [sha256.Size]byte(h.Sum(nil))
}
