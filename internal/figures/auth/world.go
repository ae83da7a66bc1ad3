package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	sdkauth "github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

const (
	worldUsers   = 100
	worldServers = 20
	worldWorkers = 32
)

// world is many users of many servers. Each server takes only tokens that are for it, has a tool of its own for each user
// and sets cookies.
type world struct {
	groups []*mcpgroup.MCPFunctionGroup
	close  func()

	foreign atomic.Int64 // tokens that were for another server
	crossed atomic.Int64 // calls with a token of another user than the argument says
	ran     atomic.Int64 // calls that a server executed
	cookies atomic.Int64 // requests that brought a cookie
}

// The four ways in which the users of a server bring their credentials; server i has way i%4.
const (
	wayRequest = iota // a value with the request
	wayID             // an id with the request, resolved by a store
	wayAgent          // the mapping of the user's agent
	wayOAuth          // a token of the authorization server
)

func serverName(i int) string { return fmt.Sprintf("server-%02d", i) }

func worldUser(i int) string { return fmt.Sprintf("user-%02d", i) }

func worldToken(server, user string) string { return "token~" + server + "~" + user }

func newWorld(as *localAS) *world {
	w := &world{}
	secrets, tokens := auth.NewMemoryStore(), auth.NewMemoryStore()
	home := newSite(tenant)
	callback := map[string]http.Handler{}
	var stops []func()
	for i := range worldServers {
		name := serverName(i)
		stateless := i%8 < 4
		host := w.serve(as, name, stateless)
		stops = append(stops, func() { host.Close() })
		cfg := mcpgroup.ServerConfig{
			Name: name, URL: host.URL() + "/mcp",
			Shared: stateless && i%2 == 0, PerUserTools: !stateless,
		}
		chain := auth.ChainConfig{Server: name, Secrets: secrets}
		if i%4 == wayOAuth {
			c, err := oauth.New(oauth.Config{Server: name, Resource: cfg.URL, Store: tokens, Grant: &oauth.AuthorizationCode{
				RedirectURL: home.redirectURL() + "/" + name,
				Prompt: func(_ context.Context, e *auth.AuthRequiredError) error {
					go browser{user: e.User.User}.visit(context.Background(), e.URL)
					return nil
				},
			}})
			check(err)
			chain.OAuth = c
			callback["/callback/"+name] = c.Callback(nil)
			stops = append(stops, func() { c.Close() })
		}
		resolved, err := auth.NewChain(chain)
		check(err)
		g, err := mcpgroup.New(cfg, &mcpgroup.Options{Auth: resolved})
		check(err)
		w.groups = append(w.groups, g)
		stops = append(stops, func() { g.Close() })
		for u := range worldUsers {
			id := name + "/" + worldUser(u)
			check(secrets.SetSecret(context.Background(), auth.SecretKey{Tenant: tenant, ID: id}, auth.Bearer(worldToken(name, worldUser(u)))))
		}
	}
	home.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h := callback[r.URL.Path]; h != nil {
			h.ServeHTTP(rw, r)
			return
		}
		http.NotFound(rw, r)
	}))
	w.close = func() {
		for _, stop := range slices.Backward(stops) {
			stop()
		}
		home.close()
	}
	return w
}

// context is the context in which user u makes requests: it holds the credentials for all servers at once.
func (w *world) context(u int) context.Context {
	name := worldUser(u)
	request, agent := map[string]auth.Credential{}, map[string]auth.Credential{}
	for i := range worldServers {
		server := serverName(i)
		switch i % 4 {
		case wayRequest:
			request[server] = auth.Bearer(worldToken(server, name))
		case wayID:
			request[server] = auth.Reference(server + "/" + name)
		case wayAgent:
			agent[server] = auth.Bearer(worldToken(server, name))
		}
	}
	return auth.WithAgentCredentials(auth.WithCredentials(user(name), request), agent)
}

// serve starts the server of that name.
func (w *world) serve(as *localAS, name string, stateless bool) *mcptest.Host {
	s := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "whoami", Description: "Returns whose token the call brought."},
		func(_ context.Context, req *mcp.CallToolRequest, args whoamiArgs) (*mcp.CallToolResult, any, error) {
			sub := req.Extra.TokenInfo.UserID
			w.ran.Add(1)
			if sub != args.User {
				w.crossed.Add(1)
			}
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: sub}}}, nil, nil
		})
	s.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			res, err := next(ctx, method, req)
			if list, ok := res.(*mcp.ListToolsResult); ok && err == nil {
				mine := *list
				mine.Tools = append(slices.Clone(list.Tools), &mcp.Tool{
					Name: "only_" + req.GetExtra().TokenInfo.UserID, InputSchema: map[string]any{"type": "object"},
				})
				mine.CacheScope, mine.TTLMs = "private", 60_000
				return &mine, nil
			}
			return res, err
		}
	})
	mux := http.NewServeMux()
	host := mcptest.Listen(mux)
	url := host.URL() + "/mcp"
	verify := func(ctx context.Context, token string, r *http.Request) (*sdkauth.TokenInfo, error) {
		if p, ok := as.permit(token); ok {
			if p.resource != url {
				w.foreign.Add(1)
				return nil, sdkauth.ErrInvalidToken
			}
			return &sdkauth.TokenInfo{UserID: p.user, Expiration: p.ends}, nil
		}
		parts := strings.Split(token, "~")
		if len(parts) != 3 || parts[0] != "token" {
			return nil, sdkauth.ErrInvalidToken // one of the authorization server that has expired
		}
		if parts[1] != name {
			w.foreign.Add(1)
			return nil, sdkauth.ErrInvalidToken
		}
		return &sdkauth.TokenInfo{UserID: parts[2], Expiration: time.Now().Add(time.Hour)}, nil
	}
	metadata := "/.well-known/oauth-protected-resource/mcp"
	mux.HandleFunc(metadata, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"resource":%q,"authorization_servers":[%q]}`, url, as.issuer())
	})
	guarded := sdkauth.RequireBearerToken(verify, &sdkauth.RequireBearerTokenOptions{ResourceMetadataURL: host.URL() + metadata})(mcptest.HTTPHandler(s, stateless))
	mux.HandleFunc("/mcp", func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" {
			w.cookies.Add(1)
		}
		http.SetCookie(rw, &http.Cookie{Name: "session", Value: "somebody", Path: "/"})
		guarded.ServeHTTP(rw, r)
	})
	return host
}
