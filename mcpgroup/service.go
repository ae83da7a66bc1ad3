package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// serviceName is the server of the registry's own tools.
const serviceName = "mcpfleet"

// newService makes the server of the registry's own tools, in this process. Each user has a session of their own with it,
// whose context says who they are.
func (r *Registry) newService() (*member, error) {
	tool, read := r.results.readResultTool(r.opts.Results)
	server := mcp.NewServer(&mcp.Implementation{Name: serviceName, Version: version()}, nil)
	server.AddTool(tool, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var args map[string]any
		if len(req.Params.Arguments) > 0 {
			if err := json.Unmarshal(req.Params.Arguments, &args); err != nil {
				return nil, err
			}
		}
		res, err := read(ctx, args)
		if err != nil {
			return nil, err
		}
		return res.CallToolResult, nil
	})
	m := newMember(ServerConfig{Name: serviceName, Server: server})
	m.own = true
	var err error
	m.group, err = New(m.cfg, &Options{Logger: r.opts.Logger})
	return m, err
}

// ReadResult reads what [RegistryOptions.Results] left out of a result of the user of ctx. See [ResultStore.ReadResult].
func (r *Registry) ReadResult(ctx context.Context, handle string, q ReadQuery) (*ReadPage, error) {
	if r.results == nil {
		return nil, ErrResultNotFound
	}
	return r.results.ReadResult(ctx, handle, q)
}

// Pins returns what is pinned of all servers, for a lock file that a person looks at. It is empty unless
// [RegistryOptions.Pins] is on.
func (r *Registry) Pins() Pins {
	if r.pins == nil {
		return Pins{}
	}
	return r.pins.snapshot()
}

// Withheld returns what keeps tools from being listed: how they, or their server's instructions, differ from what was
// approved. With [PinWarn] it is empty.
func (r *Registry) Withheld() []PinChange {
	var all []PinChange
	for _, m := range r.fleet.Load().members {
		if m.group != nil {
			all = append(all, m.group.catalogue.withheld()...)
		}
	}
	return all
}

// Approve accepts exactly these changes, as [Registry.Withheld] returned them, and lists their tools again. It fails, and
// accepts none, if a server has offered something else since, and offers none of its users any more what is to be accepted.
func (r *Registry) Approve(changes ...PinChange) error {
	if r.pins == nil {
		return errNoPins
	}
	if err := r.pins.Accept(r.Withheld(), changes...); err != nil {
		return err
	}
	for _, c := range changes {
		r.relist(c.Server)
	}
	if len(changes) > 0 {
		r.changed()
	}
	return nil
}

// ApproveServer accepts tools of a server as they were last seen, by the server's names, or all of them and its
// instructions if none are named. Where its users have different tools, those that are withheld from any of them are
// accepted, and none is forgotten.
func (r *Registry) ApproveServer(server string, tools ...string) error {
	if r.pins == nil {
		return errNoPins
	}
	if err := r.pins.Approve(server, r.offers(server), tools...); err != nil {
		return err
	}
	r.relist(server)
	r.changed()
	return nil
}

// offers returns what the lists of a server's users hold.
func (r *Registry) offers(server string) offers {
	var o offers
	if m := r.fleet.Load().byName[server]; m != nil && m.group != nil {
		c := m.group.catalogue
		o.withheld = c.withheld()
		c.mu.RLock()
		defer c.mu.RUnlock()
		o.same = !c.perUser() && len(c.lists) == 1
	}
	return o
}

var errNoPins = errors.New("mcpgroup: approving: nothing is pinned; set RegistryOptions.Pins")

// relist has the lists of a server fetched when they are next asked for.
func (r *Registry) relist(server string) {
	if m := r.fleet.Load().byName[server]; m != nil && m.group != nil {
		m.group.catalogue.expire()
	}
}
