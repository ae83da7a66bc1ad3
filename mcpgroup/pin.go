package mcpgroup

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// PinMode says what happens when a server's tools are not what they were when they were approved.
type PinMode string

const (
	// PinOff compares nothing. It is the default.
	PinOff PinMode = "off"
	// PinWarn reports changes to the logger and withholds nothing.
	PinWarn PinMode = "warn"
	// PinEnforce reports changes and withholds what changed until it is approved.
	PinEnforce PinMode = "enforce"
)

// PinOptions configures the pinning of tools.
//
// A server is trusted on first use: all that its first list of tools holds is pinned, together with its instructions.
// From then on a tool that is not what it was is withheld, and so is a tool that was not there; if the instructions
// change all of the server's tools are, since instructions are about all of them. One set of pins holds for all users
// of a server.
type PinOptions struct {
	Mode PinMode
	// File is the lock file. It is written when something is pinned. The default keeps pins in memory only, so that each
	// start is a first use. Processes that share a file must find it closed.
	File string
	// Closed treats the file as closed, and requires it to exist: see [Pins.Closed].
	Closed bool
	// TrustNewTools pins a new tool of a known server on first use too, unless the file is closed. It is for servers that
	// show each user, or each stage of a conversation, other tools. It also lets a server that turns bad add tools.
	TrustNewTools bool
}

// PinKind is a kind of [PinChange].
type PinKind string

const (
	PinAdded        PinKind = "added"        // the tool was not there when the server was approved
	PinChanged      PinKind = "changed"      // the tool is not what was approved
	PinRemoved      PinKind = "removed"      // the list no longer has the tool; its pin is kept for when it comes back
	PinInstructions PinKind = "instructions" // the server's instructions are not what was approved
	PinInvalid      PinKind = "invalid"      // the tool cannot be hashed, for Reason; it cannot be approved
)

// PinChange is a difference between what a server offers and what was approved.
type PinChange struct {
	Server string
	Tool   string // the server's name of the tool; empty for its instructions
	Kind   PinKind
	Old    string   // SHA-256 in hex of what was approved; empty if nothing was
	New    string   // SHA-256 in hex of what is offered; empty if nothing is
	Diff   []string // the members that changed, such as "description", sorted; only if Kind is PinChanged
	Reason string   // only if Kind is PinInvalid

	offer *ToolPin // what New is the hash of, for a tool
}

// String describes c for logs.
func (c PinChange) String() string {
	tool := cleanText(c.Tool, 128)
	switch c.Kind {
	case PinInstructions:
		return fmt.Sprintf("server %q: the instructions are not those that were approved", c.Server)
	case PinAdded:
		return fmt.Sprintf("server %q: tool %q is new", c.Server, tool)
	case PinRemoved:
		return fmt.Sprintf("server %q: tool %q is gone", c.Server, tool)
	case PinInvalid:
		return fmt.Sprintf("server %q: tool %q cannot be pinned: %s", c.Server, tool, c.Reason)
	}
	return fmt.Sprintf("server %q: tool %q changed: %s", c.Server, tool, strings.Join(c.Diff, ", "))
}

func comparePinChanges(a, b PinChange) int {
	return cmp.Or(strings.Compare(a.Tool, b.Tool), strings.Compare(string(a.Kind), string(b.Kind)))
}

// pinner compares the lists of servers with what was approved. It is safe for concurrent use.
type pinner struct {
	opts PinOptions
	log  *slog.Logger

	// mu guards pins, seen and warned. Nothing that can block runs while it is held. The maps within a ServerPin are replaced and
	// never changed, so that a copy of the outer map is a snapshot.
	mu   sync.Mutex
	pins Pins
	seen map[string]ServerPin // what each server offered last, to whomever
	// warned is what was reported of changes that are let through: by server and subject, what is offered. Lists are fetched
	// again and again.
	warned map[string]map[string]string

	// saving is held while the file is written, so that the newest pins are written last. It is taken before mu.
	saving sync.Mutex
}

// newPinner reads the lock file. A file that is not there yet is a first use.
func newPinner(opts PinOptions, log *slog.Logger) (*pinner, error) {
	p := &pinner{opts: opts, log: quietLogger(log), seen: map[string]ServerPin{}, warned: map[string]map[string]string{}}
	switch opts.Mode {
	case "":
		p.opts.Mode = PinOff
	case PinOff, PinWarn, PinEnforce:
	default:
		return nil, fmt.Errorf("mcpgroup: pinning: unknown mode %q; use %q, %q or %q", opts.Mode, PinOff, PinWarn, PinEnforce)
	}
	if opts.Closed && opts.File == "" {
		return nil, errors.New("mcpgroup: pinning: Closed needs a File")
	}
	if p.opts.Mode != PinOff && opts.File != "" {
		var err error
		p.pins, err = LoadPins(opts.File)
		if errors.Is(err, fs.ErrNotExist) && !opts.Closed {
			p.log.Warn("mcpgroup: there is no lock file yet: servers are trusted as they are first seen", "file", opts.File)
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
	p.pins.Closed = p.pins.Closed || opts.Closed
	if p.pins.Servers == nil {
		p.pins.Servers = map[string]ServerPin{}
	}
	return p, nil
}

// judge compares a list of tools with what was approved, and pins what is trusted on first use. It returns the
// differences, sorted by tool: those that are let through and those on whose account tools are withheld. See withholds.
//
// Removed tools are reported and no more: a list may be short because it was cut, or because its user may see less.
func (p *pinner) judge(server, instructions string, tools []rawTool) (allowed, withheld []PinChange) {
	if p.opts.Mode == PinOff {
		return nil, nil
	}
	now, invalid := pinList(instructions, tools)

	p.mu.Lock()
	p.seen[server] = now
	old, known := p.pins.Servers[server]
	next, changes := p.compare(server, old, known, now)
	pinned := next != nil
	if pinned {
		p.pins.Servers[server] = *next
	}
	p.mu.Unlock()

	if pinned {
		if err := p.save(); err != nil {
			p.log.Warn("mcpgroup: pins are kept in memory only", "server", server, "error", err)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(invalid)) {
		changes = append(changes, judged{PinChange{Server: server, Tool: t, Kind: PinInvalid, Old: old.Tools[t].SHA256, Reason: invalid[t]}, true})
	}
	for _, c := range changes {
		if c.withhold && p.opts.Mode == PinEnforce {
			withheld = append(withheld, c.PinChange)
			continue
		}
		allowed = append(allowed, c.PinChange)
		if c.withhold && p.unheard(c.PinChange) {
			p.log.Warn("mcpgroup: a server offers what was not approved", "server", server, "change", c.String())
		}
	}
	slices.SortFunc(allowed, comparePinChanges)
	slices.SortFunc(withheld, comparePinChanges)
	return allowed, withheld
}

// unheard reports whether c was not reported before, and notes that it is now.
func (p *pinner) unheard(c PinChange) bool {
	subject := string(c.Kind) + " " + c.Tool
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.warned[c.Server]
	if now, ok := known[subject]; ok && now == c.New {
		return false
	}
	if known == nil || len(known) >= maxItems {
		known = map[string]string{}
		p.warned[c.Server] = known
	}
	known[subject] = c.New
	return true
}

// judged is a change and whether it is a reason to withhold tools.
type judged struct {
	PinChange
	withhold bool
}

// compare returns the differences between what is pinned of a server and what it offers now, and the pin that takes the
// place of the old one, if any does. It is called with mu held.
func (p *pinner) compare(server string, old ServerPin, known bool, now ServerPin) (next *ServerPin, changes []judged) {
	trust := !p.pins.Closed && (!known && len(now.Tools) > 0 || known && p.opts.TrustNewTools)
	if !known && !trust && !p.pins.Closed {
		return nil, nil // it has shown nothing yet: a server may want its user to log in first
	}
	tools := old.Tools
	for name, t := range now.Tools {
		was, pinned := old.Tools[name]
		change := PinChange{Server: server, Tool: name, Old: was.SHA256, New: t.SHA256, offer: &t}
		switch {
		case !pinned:
			change.Kind = PinAdded
			trusted := trust && len(tools) < maxItems
			if trusted {
				if next == nil {
					next, tools = &ServerPin{Instructions: old.Instructions}, maps.Clone(old.Tools)
				}
				if tools == nil {
					tools = map[string]ToolPin{}
				}
				tools[name], next.Tools = t, tools
			}
			changes = append(changes, judged{change, !trusted})
		case was.SHA256 != t.SHA256:
			change.Kind, change.Diff = PinChanged, changedFields(was.Fields, t.Fields)
			changes = append(changes, judged{change, true})
		}
	}
	for name, was := range old.Tools {
		if _, there := now.Tools[name]; !there {
			changes = append(changes, judged{PinChange{Server: server, Tool: name, Kind: PinRemoved, Old: was.SHA256}, false})
		}
	}
	switch {
	case !known && next != nil:
		next.Instructions = now.Instructions
	case old.Instructions != now.Instructions:
		changes = append(changes, judged{PinChange{Server: server, Kind: PinInstructions, Old: old.Instructions, New: now.Instructions}, true})
	}
	return next, changes
}

// withholds returns whether the tool with an original name is withheld by what judge returned.
func withholds(withheld []PinChange) func(tool string) bool {
	tools := make(map[string]bool, len(withheld))
	for _, c := range withheld {
		if c.Kind == PinInstructions {
			return func(string) bool { return true }
		}
		tools[c.Tool] = true
	}
	return func(tool string) bool { return tools[tool] }
}

// pinList returns the pin of a list, and why tools cannot be pinned, by name.
func pinList(instructions string, tools []rawTool) (pin ServerPin, invalid map[string]string) {
	pin = ServerPin{Instructions: hashInstructions(instructions), Tools: make(map[string]ToolPin, len(tools))}
	invalid = map[string]string{}
	for _, t := range tools {
		if t.Name == "" || len(t.Name) > maxOriginalLen {
			continue // such a tool is never shown
		}
		tool, err := hashTool(t.JSON)
		if t.Err != nil {
			err = t.Err
		}
		other, twice := pin.Tools[t.Name]
		switch {
		case err != nil:
			invalid[t.Name] = err.Error()
		case twice && other.SHA256 != tool.SHA256:
			invalid[t.Name] = "the list has two different tools of this name"
		default:
			pin.Tools[t.Name] = tool
		}
	}
	for name := range invalid {
		delete(pin.Tools, name)
	}
	return pin, invalid
}

// changedFields returns the members whose hashes differ, sorted.
func changedFields(old, now map[string]string) []string {
	var diff []string
	for _, field := range pinnedFields {
		if old[field] != now[field] {
			diff = append(diff, field)
		}
	}
	return diff
}
