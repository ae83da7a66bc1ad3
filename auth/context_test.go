package auth

import (
	"context"
	"testing"

	"github.com/mcpfleet/mcpfleet/session"
)

func TestTheInnerMapIsLaidOverTheOuterOne(t *testing.T) {
	a, b := mustChain(t, ChainConfig{Server: "a"}), mustChain(t, ChainConfig{Server: "b"})
	outer := map[string]Credential{"a": Bearer("outer"), "b": Bearer("outer")}
	ctx := WithCredentials(t.Context(), outer)
	inner := WithCredentials(ctx, map[string]Credential{"b": Bearer("inner")})
	sends(t, inner, a, alice, "outer")
	sends(t, inner, b, alice, "inner")
	sends(t, ctx, b, alice, "outer")
	fails(t, WithCredentials(ctx, map[string]Credential{"b": {}}), b, alice, SourceRequest, ErrInvalidCredential)
	if WithCredentials(ctx, nil) != ctx || WithAgentCredentials(ctx, map[string]Credential{}) != ctx {
		t.Error("an empty map changes the context")
	}
}

func TestTheCallersMapsAreCopied(t *testing.T) {
	headers := map[string]Secret{"X-Key": NewSecret("before")}
	credentials := map[string]Credential{"s": {Headers: headers}}
	ctx := WithCredentials(t.Context(), credentials)
	headers["X-Key"], headers["X-More"] = NewSecret("after"), NewSecret("after")
	credentials["s"] = Bearer("after")
	r, err := mustChain(t, ChainConfig{Server: "s"}).Resolve(ctx, alice)
	if err != nil || len(r.Header()) != 1 || r.Header().Get("X-Key") != "before" {
		t.Errorf("Resolve = %v, %v; want what the map had when it was handed over", r.Header(), err)
	}
}

func TestRequestsComeBeforeAgentsWhicheverIsSetFirst(t *testing.T) {
	c := mustChain(t, ChainConfig{Server: "s"})
	sends(t, agent(request(t.Context(), Bearer("request")), Bearer("agent")), c, alice, "request")
	sends(t, request(agent(t.Context(), Bearer("agent")), Bearer("request")), c, alice, "request")
	both := agent(request(t.Context(), Bearer("request")), Bearer("agent"))
	sends(t, WithCredentials(both, map[string]Credential{"other": {}}), c, alice, "request")
	sends(t, agent(both, Bearer("other agent!")), c, alice, "request")
}

func TestWhatIsDetachedKeepsIDsAndNoValues(t *testing.T) {
	store := newFakeStore()
	store.has(t, "acme", "id", Bearer("stored"))
	c := mustChain(t, ChainConfig{Server: "s", Secrets: store, Credential: Bearer("server"), OAuth: tokenIs("oauth")})
	for what, test := range map[string]struct {
		put    func(context.Context, Credential) context.Context
		cred   Credential
		source Source
		ended  bool
	}{
		"request value":           {request, Bearer(canary), SourceRequest, true},
		"request headers":         {request, Header("X-Key", canary), SourceRequest, true},
		"request variables":       {request, Credential{Env: map[string]Secret{"E": NewSecret(canary)}}, SourceRequest, true},
		"request value and id":    {request, Credential{Authorization: NewSecret("Bearer " + canary), ID: "id"}, SourceRequest, true},
		"request value of one":    {request, Credential{Authorization: NewSecret("Bearer " + canary), Principal: "p"}, SourceRequest, true},
		"request id":              {request, Reference("id"), SourceRequestID, false},
		"request id of a person":  {request, Credential{ID: "id", Principal: "p"}, SourceRequestID, false},
		"agent value":             {agent, Bearer(canary), SourceAgent, true},
		"agent id":                {agent, Reference("id"), SourceAgent, false},
		"neither value nor an id": {agent, Credential{Principal: "p"}, SourceAgent, false},
	} {
		t.Run(what, func(t *testing.T) {
			ctx, cancel := context.WithCancel(test.put(t.Context(), test.cred))
			before, errBefore := c.Principal(ctx, alice)
			kept := Detach(ctx, session.NewContext(context.Background(), alice))
			cancel()
			if kept.Err() != nil {
				t.Error("the detached context ends with the request")
			}
			for range 2 { // what was detached can be detached again, as on the way from a connection to its requests
				if got := c.Explain(kept, alice); got != test.source {
					t.Errorf("Explain = %v, want %v", got, test.source)
				}
				after, err := c.Principal(kept, alice)
				if after != before || (err == nil) != (errBefore == nil) {
					t.Errorf("Principal = %q, %v; before it was %q, %v", after, err, before, errBefore)
				}
				switch {
				case test.ended:
					fails(t, kept, c, alice, test.source, ErrRequestEnded)
				case errBefore != nil:
					fails(t, kept, c, alice, test.source, ErrInvalidCredential)
				default:
					sends(t, kept, c, alice, "stored")
				}
				if again, err := c.Refused(kept, alice, refusal("stored")); again || err != nil {
					t.Errorf("Refused = %t, %v", again, err)
				}
				checkSinks(t, "detached context", kept)
				p := carriedBy(kept)
				for _, m := range []map[string]*presented{p.request, p.agent} {
					for _, p := range m {
						if p.hasValue() || p.material != nil {
							t.Error("a value is kept")
						}
					}
				}
				sends(t, request(kept, Bearer("new")), c, alice, "new")              // counts again
				kept = Detach(kept, session.NewContext(context.Background(), alice)) //nolint:fatcontext // this is what the test is about
			}
		})
	}
}

func TestDetachLaysOverItsBase(t *testing.T) {
	a, b := mustChain(t, ChainConfig{Server: "a"}), mustChain(t, ChainConfig{Server: "b"})
	base := WithCredentials(t.Context(), map[string]Credential{"a": Bearer("base"), "b": Bearer("base")})
	kept := Detach(WithCredentials(context.Background(), map[string]Credential{"a": Bearer("request")}), base)
	fails(t, kept, a, alice, SourceRequest, ErrRequestEnded)
	sends(t, kept, b, alice, "base")
	if Detach(context.Background(), base) != base {
		t.Error("Detach of nothing changes the base")
	}
	if got := Detach(base, base); carriedBy(got).request["b"].hasValue() {
		t.Error("Detach of a context onto itself keeps a value")
	}
}
