package auth

import (
	"context"
	"maps"
)

type carriedKey struct{}

// A carried is what a context says about credentials, by server name. Its maps never change.
type carried struct {
	request map[string]*presented
	agent   map[string]*presented
}

var carriesNothing carried

func carriedBy(ctx context.Context) *carried {
	if c, ok := ctx.Value(carriedKey{}).(*carried); ok {
		return c
	}
	return &carriesNothing
}

// WithCredentials returns a context whose requests bring credentials, by the name of the server that each is for. They
// come before all other sources. A value is a [SourceRequest], a reference a [SourceRequestID].
//
// A server that the map names has its credential from there and from nowhere else, also if that is the zero Credential:
// then requests to it fail. Where ctx has credentials of an earlier call, those of servers that the map does not name stay.
// The map is copied. It lives as long as the context and is kept nowhere else.
func WithCredentials(ctx context.Context, credentials map[string]Credential) context.Context {
	if len(credentials) == 0 {
		return ctx
	}
	c := carriedBy(ctx)
	return context.WithValue(ctx, carriedKey{}, &carried{request: overlay(c.request, credentials), agent: c.agent})
}

// WithAgentCredentials returns a context for the requests of one agent, whose credentials are, by the name of the server
// that each is for, the [SourceAgent]. Otherwise it is as [WithCredentials]: whatever a request itself brings, set before
// or after, comes first.
func WithAgentCredentials(ctx context.Context, credentials map[string]Credential) context.Context {
	if len(credentials) == 0 {
		return ctx
	}
	c := carriedBy(ctx)
	return context.WithValue(ctx, carriedKey{}, &carried{request: c.request, agent: overlay(c.agent, credentials)})
}

func overlay(outer map[string]*presented, inner map[string]Credential) map[string]*presented {
	m := make(map[string]*presented, len(outer)+len(inner))
	maps.Copy(m, outer)
	for server, c := range inner {
		m[server] = present(c)
	}
	return m
}

// Detach returns base together with what something that outlives the request of ctx, such as a connection, may keep of
// its credentials: ids and principals, laid over those of base, and never a value. Where a value was, a mark stays:
// [Chain.Principal] goes on as before, and [Chain.Resolve] fails with [ErrRequestEnded] and does not turn to a lower
// source. [WithCredentials] on top of it counts again.
func Detach(ctx, base context.Context) context.Context {
	from, under := carriedBy(ctx), carriedBy(base)
	if from == &carriesNothing {
		return base
	}
	return context.WithValue(base, carriedKey{}, &carried{
		request: detachOver(under.request, from.request),
		agent:   detachOver(under.agent, from.agent),
	})
}

func detachOver(outer, inner map[string]*presented) map[string]*presented {
	if len(inner) == 0 {
		return outer
	}
	m := make(map[string]*presented, len(outer)+len(inner))
	maps.Copy(m, outer)
	for server, p := range inner {
		m[server] = p.detached()
	}
	return m
}

// Lend returns base together with the credential that the request of ctx brings for one server, a value too. It is for what
// serves that request in this process under a context of its own, and no longer than the request runs. Whatever ctx brings
// for other servers stays behind, since those who ask base may serve other requests as well.
func Lend(ctx, base context.Context, server string) context.Context {
	from := carriedBy(ctx)
	lent := &carried{}
	if p := from.request[server]; p != nil {
		lent.request = map[string]*presented{server: p}
	}
	if p := from.agent[server]; p != nil {
		lent.agent = map[string]*presented{server: p}
	}
	if lent.request == nil && lent.agent == nil {
		return base
	}
	return context.WithValue(base, carriedKey{}, lent)
}
