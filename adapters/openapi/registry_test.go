package openapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// Two users and an agent call one API through a registry, each with the credential that is theirs.
func TestADocumentInARegistryIsCalledWithTheRegistrysCredentials(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.URL.Path+" "+r.Header.Get("Authorization"))
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"name":"rex"}`)
	}))
	defer api.Close()
	doc, err := Parse(t.Context(), []byte(`{"openapi":"3.1.0","info":{"title":"Pets","version":"1"},"paths":{"/pets/{id}":{"get":{"operationId":"getPet",
		"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],
		"responses":{"200":{"description":"a pet","content":{"application/json":{"schema":{"type":"object"}}}}}}}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	store := auth.NewMemoryStore()
	for id, token := range map[string]string{"own": "own", "agent": "agent", "alice": "alice"} {
		if err := store.SetSecret(t.Context(), auth.SecretKey{Tenant: "acme", ID: id}, auth.Bearer(token)); err != nil {
			t.Fatal(err)
		}
	}
	reg, err := mcpgroup.NewRegistry(&mcpgroup.RegistryOptions{Secrets: store})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	cfg := mcpgroup.ServerConfig{Name: "pets", Credential: "own"}
	if err := AddDocument(t.Context(), reg, cfg, doc, &Options{BaseURL: api.URL, Client: api.Client()}); err != nil {
		t.Fatal(err)
	}
	ctx := session.NewContext(t.Context(), session.Key{Tenant: "acme", User: "alice"})
	agent, err := reg.ForAgent(mcpgroup.AgentMapping{ID: "a", Servers: []mcpgroup.AgentServer{{Server: "pets", Credential: "agent"}}})
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]any{"id": "7"}
	res, err := reg.Call(ctx, "pets.getPet", args)
	if err != nil || !strings.Contains(res.Text(), "rex") {
		t.Fatalf("%v, %v", res, err)
	}
	if _, err := agent.Call(ctx, "pets.getPet", args); err != nil {
		t.Fatal(err)
	}
	named := auth.WithCredentials(ctx, map[string]auth.Credential{"pets": auth.Reference("alice")})
	if _, err := reg.Call(named, "pets.getPet", args); err != nil {
		t.Fatal(err)
	}
	// A value serves the request that brings it.
	valued := auth.WithCredentials(ctx, map[string]auth.Credential{"pets": auth.Bearer("value")})
	for range 2 { // the one that dials, and one that finds the connection
		if _, err := reg.Call(valued, "pets.getPet", args); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"/pets/7 Bearer own", "/pets/7 Bearer agent", "/pets/7 Bearer alice", "/pets/7 Bearer value", "/pets/7 Bearer value"}
	if !slices.Equal(seen, want) {
		t.Errorf("the API saw %q, want %q", seen, want)
	}
	if st := reg.Status(); st[0].Description != "Pets" || st[0].Sessions.Opened != 4 {
		t.Errorf("status %+v", st[0])
	}
}
