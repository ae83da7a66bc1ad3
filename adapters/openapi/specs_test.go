package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mcpfleet/mcpfleet/adapters/openapi/internal/specs"
)

// TestPublicSpecificationsBecomeServersWhoseToolsCanBeCalled calls every operation of public documents with arguments made
// from its input schema, and looks at what a real server receives.
func TestPublicSpecificationsBecomeServersWhoseToolsCanBeCalled(t *testing.T) {
	if what := specs.Absent(); what != "" {
		t.Skip(what)
	}
	for _, spec := range specs.All {
		t.Run(spec.Name, func(t *testing.T) {
			d, err := Load(t.Context(), spec.Path(), nil)
			if err != nil {
				t.Fatal(err)
			}
			ops := d.Operations()
			if len(ops) != spec.Operations || len(d.Skipped()) > 0 {
				t.Errorf("%d operations, want %d; skipped %v", len(ops), spec.Operations, d.Skipped())
			}
			var mu sync.Mutex
			var got *http.Request
			a := newServerOf(t, d, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				got = r
				w.WriteHeader(http.StatusNoContent)
			})
			tools := a.tools()
			if len(tools) != len(ops) {
				t.Errorf("%d tools of %d operations", len(tools), len(ops))
			}
			for _, op := range ops {
				tool := tools[op.Name]
				if tool == nil || !nameRE.MatchString(op.Name) {
					t.Errorf("%s %s has no tool %q", op.Method, op.Path, op.Name)
					continue
				}
				for side, schema := range map[string]any{"input": tool.InputSchema, "output": tool.OutputSchema} {
					if schema != nil {
						if err := resolves(schema); err != nil {
							t.Errorf("%s schema of %s: %v", side, op.Name, err)
						}
					}
				}
				args := specs.Arguments(tool.InputSchema.(map[string]any))
				got = nil
				a.ok(op.Name, string(args))
				mu.Lock()
				if got == nil || got.Method != op.Method || !pathMatches(op.Path, got.URL.Path) {
					t.Errorf("%s %s with %s: the server saw %v", op.Method, op.Path, args, got)
				}
				mu.Unlock()
			}
		})
	}
}

func TestYAMLAndJSONOfOneDocumentMakeTheSameTools(t *testing.T) {
	if what := specs.Absent(); what != "" {
		t.Skip(what)
	}
	var docs [2]*Document
	for i, spec := range []specs.Spec{specs.All[len(specs.All)-1], specs.Twin} {
		var err error
		if docs[i], err = Load(t.Context(), spec.Path(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(docs[0].Operations(), docs[1].Operations()) {
		t.Fatal("the operations differ")
	}
	for i, op := range docs[0].operations {
		a, b := op.schemas(64<<10), docs[1].operations[i].schemas(64<<10)
		if string(a.input) != string(b.input) || string(a.output) != string(b.output) {
			t.Errorf("%s: the schemas differ", op.name)
		}
	}
}

func newServerOf(t *testing.T, d *Document, backend http.HandlerFunc) *api {
	t.Helper()
	doc := newAPI(t, operationDoc("3.1.0", "/unused", "get", `"summary":"x"`), backend, nil)
	s := mustServer(t, d, &Options{BaseURL: doc.url + "/base", IncludeDeprecated: true, Client: http.DefaultClient})
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return &api{t: t, url: doc.url, session: connect(t, s)}
}

// resolves reports what is wrong with a schema, in the eyes of a reader that is not ours.
func resolves(schema any) error {
	data, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	if s.Type != "object" || len(data) > 64<<10 {
		return fmt.Errorf("type %q, %d bytes", s.Type, len(data))
	}
	_, err = s.Resolve(nil)
	return err
}

// pathMatches compares segment by segment; a hole takes one.
func pathMatches(template, path string) bool {
	template, _, _ = strings.Cut(template, "#")
	want, got := strings.Split("/base"+template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if strings.Contains(want[i], "{") {
			if got[i] == "" {
				return false
			}
		} else if want[i] != got[i] {
			return false
		}
	}
	return true
}
