package mcpgroup

import (
	"errors"
	"fmt"
	"maps"
)

// Approve accepts the tools of a server, by original name, as it last offered them. Without tools it accepts all that
// the server last offered, its instructions too, and forgets tools that were gone. Nothing is accepted if any of the
// tools was not offered. With the first tools of a server its instructions are accepted too.
//
// What is accepted is what the server offered last, which need not be what somebody has looked at. Accept takes the
// changes themselves.
func (p *pinner) Approve(server string, tools ...string) error {
	p.mu.Lock()
	now, ok := p.seen[server]
	next := p.pins.Servers[server]
	if ok && len(tools) == 0 {
		next = now
	} else if ok {
		next.Tools = maps.Clone(next.Tools)
		if next.Tools == nil { // a server of which nothing was trusted yet
			next.Tools, next.Instructions = map[string]ToolPin{}, now.Instructions
		}
		for _, name := range tools {
			t, offered := now.Tools[name]
			if !offered {
				p.mu.Unlock()
				return fmt.Errorf("mcpgroup: approving: server %q did not offer a tool %q that can be pinned", server, cleanText(name, 128))
			}
			next.Tools[name] = t
		}
	}
	if ok {
		p.pins.Servers[server] = next
	}
	p.mu.Unlock()
	if !ok {
		return fmt.Errorf("mcpgroup: approving: no list of server %q has been seen; list its tools first", server)
	}
	return p.save()
}

// Accept accepts exactly these changes. It returns an error, and accepts none, if a server has offered something else
// since.
func (p *pinner) Accept(changes ...PinChange) error {
	if err := p.accept(changes); err != nil {
		return err
	}
	return p.save()
}

func (p *pinner) accept(changes []PinChange) error {
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
		offered := now.Tools[c.Tool].SHA256
		if c.Kind == PinInstructions {
			offered = now.Instructions
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
			next.Tools[c.Tool] = now.Tools[c.Tool]
		}
		edited[c.Server] = next
	}
	maps.Copy(p.pins.Servers, edited)
	return nil
}

// forget drops what a server offered, once it is no longer configured. Its pins stay: whatever comes under its name
// later must be the same, or be approved.
func (p *pinner) forget(server string) {
	p.mu.Lock()
	delete(p.seen, server)
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
