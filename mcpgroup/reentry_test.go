package mcpgroup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/session"
)

// cfgs are the servers of a registry as they were configured.
func cfgs(r *Registry) (configs []ServerConfig) {
	for _, m := range r.fleet.Load().members {
		configs = append(configs, m.cfg)
	}
	return configs
}

// changes are the ways to change the servers of a registry.
var changes = map[string]func(*Registry, context.Context) error{
	"Reload": func(r *Registry, ctx context.Context) error { _, err := r.Reload(ctx, &Config{}); return err },
	"Add":    func(r *Registry, ctx context.Context) error { return r.Add(ctx, local("more", "x")) },
	"Remove": func(r *Registry, ctx context.Context) error { return r.Remove(ctx, "a") },
}

// A change within a callback of a change waits for itself, until its context ends. The registry is as before, and works.
func TestAChangeWithinOptionsEndsWithItsContext(t *testing.T) {
	for name, change := range changes {
		synctest.Test(t, func(t *testing.T) {
			var r *Registry
			var within error
			r = newRegistry(t, &RegistryOptions{Options: func(cfg ServerConfig) (*Options, error) {
				if cfg.Name == "b" && within == nil {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					within = change(r, ctx)
				}
				return nil, nil
			}}, local("a", "x"))
			if err := r.Add(t.Context(), local("b", "y")); err != nil || !errors.Is(within, context.DeadlineExceeded) {
				t.Errorf("%s within: %v, and what it is within: %v", name, within, err)
			}
			if got := r.Names(); len(got) != 2 {
				t.Errorf("the servers are %q", got)
			}
		})
	}
}

// What is not the callback's own change only waits, as it does without one.
func TestAChangeBesidesACallbackWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered, release := make(chan struct{}), make(chan struct{})
		other := newRegistry(t, nil)
		r := newRegistry(t, &RegistryOptions{Options: func(cfg ServerConfig) (*Options, error) {
			if cfg.Name == "slow" {
				close(entered)
				<-release
				return nil, other.Add(context.Background(), local("companion", "x"))
			}
			return nil, nil
		}})
		done := make(chan error, 2)
		go func() { done <- r.Add(t.Context(), local("slow", "x")) }()
		<-entered
		go func() { done <- r.Add(t.Context(), local("b", "y")) }()
		synctest.Wait()
		close(release)
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if len(r.Names()) != 2 || len(other.Names()) != 1 {
			t.Errorf("servers %q and %q", r.Names(), other.Names())
		}
	})
}

func TestClosingWithinOptionsEndsTheReload(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		var r *Registry
		r, err := NewRegistry(&RegistryOptions{Options: func(ServerConfig) (*Options, error) {
			if !elsewhere {
				return nil, r.Close()
			}
			closed := make(chan error)
			go func() { closed <- r.Close() }()
			return nil, <-closed
		}})
		if err != nil {
			t.Fatal(err)
		}
		required := local("a", "x")
		required.Required = true
		if _, err := r.Reload(t.Context(), &Config{Servers: []ServerConfig{required}}); !errors.Is(err, ErrClosed) {
			t.Errorf("Reload: %v", err)
		}
		if len(r.Names()) != 0 {
			t.Errorf("a closed registry has the servers %q", r.Names())
		}
	}
}

// Callbacks with a context run on goroutines of the registry: there the misuse is the error of the connect.
func TestAChangeWithinTheConnectOfAReloadIsAnError(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r *Registry
				r = newRegistry(t, &RegistryOptions{Options: func(cfg ServerConfig) (*Options, error) {
					inside := func(ctx context.Context) { _ = change(r, ctx) }
					switch cfg.Name {
					case "server":
						return &Options{NewServer: func(ctx context.Context, _ session.Key) (*mcp.Server, error) {
							inside(ctx)
							return local("server", "x").Server, nil
						}}, nil
					case "fingerprint":
						return &Options{Fingerprint: func(ctx context.Context, _ session.Key) (string, error) { inside(ctx); return "", nil }}, nil
					}
					return nil, nil
				}}, local("a", "x"))
				for _, server := range []string{"server", "fingerprint"} {
					cfg := ServerConfig{Name: server, Required: true}
					if server == "fingerprint" {
						cfg.Server = local("f", "x").Server
					}
					start := time.Now()
					err := r.Add(t.Context(), cfg)
					if err == nil || !strings.Contains(err.Error(), name+" in a callback") || time.Since(start) > time.Second {
						t.Errorf("%s in a callback of %s: %v after %v", name, server, err, time.Since(start))
					}
				}
				if got := r.Names(); len(got) != 1 {
					t.Errorf("the servers are %q", got)
				}
			})
		})
	}
}

// Callbacks that nobody's change waits for may do what they like.
func TestCallbacksOfListingsAndCallsMayChangeTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *Registry
		again := func(ctx context.Context) {
			if _, err := r.Reload(ctx, &Config{Servers: cfgs(r)}); err != nil {
				t.Error(err)
			}
		}
		r = newRegistry(t, &RegistryOptions{Options: func(cfg ServerConfig) (*Options, error) {
			if cfg.Name != "a" {
				return nil, nil
			}
			return &Options{
				NewServer: func(ctx context.Context, _ session.Key) (*mcp.Server, error) {
					again(ctx)
					return local("a", "x").Server, nil
				},
				Fingerprint: func(ctx context.Context, _ session.Key) (string, error) { again(ctx); return "", nil },
				Filter:      func(ctx context.Context, tools []*Tool) []*Tool { again(ctx); return tools },
				Middleware: []func(CallFunc) CallFunc{
					func(next CallFunc) CallFunc {
						return func(ctx context.Context, req *CallRequest) (*Result, error) { again(ctx); return next(ctx, req) }
					},
					RequireApproval(func(ctx context.Context, _ ApprovalRequest) (bool, error) { again(ctx); return true, nil }, nil),
				},
			}, nil
		}}, ServerConfig{Name: "a"}, local("b", "y"))
		ctx := userContext("alice")
		if got := listed(t, r, ctx, Filter{}); len(got) != 2 {
			t.Errorf("listed %q", got)
		}
		if _, err := r.Call(ctx, "a.x", nil); err != nil {
			t.Error(err)
		}
		told := func(Progress) { again(ctx) }
		if err := r.WaitReady(ctx, nil, &WaitOptions{OnProgress: told}); err != nil {
			t.Error(err)
		}
	})
}

// A panic in what the host brought is an error of the check, and does not end the process.
func TestAPanicInAFingerprintIsNoEndOfTheProcess(t *testing.T) {
	r := newRegistry(t, &RegistryOptions{Options: func(ServerConfig) (*Options, error) {
		return &Options{Fingerprint: func(context.Context, session.Key) (string, error) { panic("in a mood") }}, nil
	}})
	a := local("a", "x")
	if err := r.Add(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if h := r.Health(t.Context(), &HealthOptions{Attempts: 1}); h[0].Healthy || !strings.Contains(h[0].Err.Error(), "in a mood") {
		t.Errorf("%+v", h)
	}
	a.Name, a.Required = "b", true
	if err := r.Add(t.Context(), a); err == nil || !strings.Contains(err.Error(), "in a mood") {
		t.Errorf("Add: %v", err)
	}
}

// Whoever closes a registry does not wait for servers that do not answer until what they are asked runs into its time limit.
func TestCloseCancelsAReloadWhoseRequiredServerHangs(t *testing.T) {
	for name, hangs := range map[string]func(method, rpc string) bool{
		"at once":                      func(string, string) bool { return true },
		"at the list":                  func(_, rpc string) bool { return rpc == "tools/list" },
		"at the list and the farewell": func(method, rpc string) bool { return rpc == "tools/list" || method == http.MethodDelete },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mcptest.NewRaw(nil)
			hanging, release, late := make(chan struct{}, 100), make(chan struct{}), atomic.Int64{}
			r, err := NewRegistry(&RegistryOptions{Options: func(ServerConfig) (*Options, error) {
				return &Options{HTTPTransport: roundTrip(func(req *http.Request) (*http.Response, error) {
					var body []byte
					if req.Body != nil {
						body, _ = io.ReadAll(req.Body)
						req.Body = io.NopCloser(bytes.NewReader(body))
					}
					var message struct{ Method string }
					_ = json.Unmarshal(body, &message)
					if hangs(req.Method, message.Method) {
						hanging <- struct{}{}
						select {
						case <-req.Context().Done():
						case <-release:
							return nil, errors.New("the end of the test")
						}
						if errors.Is(req.Context().Err(), context.DeadlineExceeded) {
							late.Add(1)
						}
						return nil, req.Context().Err()
					}
					answer := httptest.NewRecorder()
					s.ServeHTTP(answer, req)
					return answer.Result(), nil
				})}, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			reloaded := make(chan error, 1)
			go func() {
				_, err := r.Reload(t.Context(), &Config{Servers: []ServerConfig{{Name: "a", URL: "http://a.test/mcp", Required: true}}})
				reloaded <- err
			}()
			<-hanging
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := <-reloaded; !errors.Is(err, ErrClosed) {
				t.Errorf("Reload: %v", err)
			}
			if late.Load() > 0 {
				t.Error("Close has waited for the server")
			}
			close(release)
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
