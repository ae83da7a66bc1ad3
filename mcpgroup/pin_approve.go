package mcpgroup

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// offers are what a server offers its users, beside the list that came last.
type offers struct {
	withheld []PinChange // from any of them
	same     bool        // all users have one list, which is the last
}

// find returns what is withheld under a tool's name.
func (o offers) find(tool string) (t ToolPin, ok bool) {
	for _, c := range o.withheld {
		if c.Tool == tool && c.offer != nil {
			return *c.offer, true
		}
	}
	return ToolPin{}, false
}

// Approve accepts the tools of a server, by original name, as it last offered them. Without tools it accepts all that
// the server last offered, its instructions too, and forgets tools that were gone if all users have one list. Nothing is
// accepted if any of the tools was not offered. With the first tools of a server its instructions are accepted too.
//
// What is accepted is what the server offered last, which need not be what somebody has looked at. Accept takes the
// changes themselves.
func (p *pinner) Approve(server string, all offers, tools ...string) error {
	p.mu.Lock()
	now, ok := p.seen[server]
	if !ok {
		p.mu.Unlock()
		return fmt.Errorf("mcpgroup: approving: no list of server %q has been seen; list its tools first", server)
	}
	old := p.pins.Servers[server]
	next := ServerPin{Instructions: old.Instructions, Tools: maps.Clone(old.Tools)}
	if next.Tools == nil { // a server of which nothing was trusted yet
		next.Tools, next.Instructions = map[string]ToolPin{}, now.Instructions
	}
	switch {
	case len(tools) == 0 && all.same:
		next = now
	case len(tools) == 0:
		for _, c := range all.withheld {
			switch {
			case c.Kind == PinInstructions:
				next.Instructions = c.New
			case c.offer != nil:
				next.Tools[c.Tool] = *c.offer
			}
		}
		// What came last goes before, unless it is what was approved already: then it is not what is to be approved.
		for name, t := range now.Tools {
			if t.SHA256 != old.Tools[name].SHA256 {
				next.Tools[name] = t
			}
		}
		if now.Instructions != old.Instructions {
			next.Instructions = now.Instructions
		}
	}
	for _, name := range tools {
		t, offered := now.Tools[name]
		if !offered || t.SHA256 == old.Tools[name].SHA256 {
			if other, withheld := all.find(name); withheld {
				t, offered = other, true
			}
		}
		if !offered {
			p.mu.Unlock()
			return fmt.Errorf("mcpgroup: approving: server %q did not offer a tool %q that can be pinned", server, cleanText(name, 128))
		}
		next.Tools[name] = t
	}
	p.pins.Servers[server] = next
	p.mu.Unlock()
	return p.save()
}

// Accept accepts exactly these changes. It returns an error, and accepts none, if a server has offered something else
// since. withheld are the changes that lists of users still hold: what one is offered another need not be.
func (p *pinner) Accept(withheld []PinChange, changes ...PinChange) error {
	if err := p.accept(withheld, changes); err != nil {
		return err
	}
	return p.save()
}

func (p *pinner) accept(withheld, changes []PinChange) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	edited := map[string]ServerPin{}
	for _, c := range changes {
		now, ok := p.seen[c.Server]
		next, editing := edited[c.Server]
		if !editing {
			next = p.pins.Servers[c.Server]
			if next.Tools = maps.Clone(next.Tools); next.Tools == nil {
				next.Tools = map[string]ToolPin{}
			}
		}
		offer := now.Tools[c.Tool]
		offered := offer.SHA256
		if c.Kind == PinInstructions {
			offered = now.Instructions
		}
		if i := slices.IndexFunc(withheld, c.offersTheSame); offered != c.New && i >= 0 {
			offered = c.New
			if t := withheld[i].offer; t != nil {
				offer = *t
			}
		}
		switch {
		case c.Kind == PinInvalid:
			return errors.New("mcpgroup: approving: " + c.String())
		case !ok || offered != c.New:
			return fmt.Errorf("mcpgroup: approving: it has changed again: %v; look at the changes anew", c)
		case c.Kind == PinInstructions:
			next.Instructions = c.New
		case c.Kind == PinRemoved:
			delete(next.Tools, c.Tool)
		default:
			next.Tools[c.Tool] = offer
		}
		edited[c.Server] = next
	}
	maps.Copy(p.pins.Servers, edited)
	return nil
}

// offersTheSame reports whether other is about the same text as c, whatever the two differ from.
func (c PinChange) offersTheSame(other PinChange) bool {
	return c.Server == other.Server && c.Tool == other.Tool && c.New == other.New && other.Kind != PinInvalid &&
		(c.Kind == PinInstructions) == (other.Kind == PinInstructions)
}

// forget drops what a server offered, once it is no longer configured. Its pins stay: whatever comes under its name
// later must be the same, or be approved.
func (p *pinner) forget(server string) {
	p.mu.Lock()
	delete(p.seen, server)
	delete(p.warned, server)
	p.mu.Unlock()
}

// snapshot returns the pins as they are now.
func (p *pinner) snapshot() Pins {
	p.mu.Lock()
	defer p.mu.Unlock()
	pins := p.pins
	pins.Version, pins.Servers = pinsVersion, maps.Clone(p.pins.Servers)
	return pins
}

// save writes the lock file, if there is one.
func (p *pinner) save() error {
	if p.opts.File == "" {
		return nil
	}
	p.saving.Lock()
	defer p.saving.Unlock()
	return p.snapshot().SaveFile(p.opts.File)
}
