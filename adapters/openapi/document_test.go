package openapi

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const yamlDoc = `# a comment
openapi: 3.0.3
info: {title: Pets, version: 1.0.0}
servers:
  - url: "{scheme}://api.example.com/{base}/"
    variables:
      scheme: {default: https, enum: [https]}
      base: {default: v1}
x-common: &common
  description: shared
  tags: [pets]
paths:
  /pets/{id}:
    get:
      <<: *common
      operationId: getPet
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer, maximum: 9223372036854775807, example: 2020-01-02}}
      responses:
        200: {description: ok}
`

func TestYAMLIsReadAsJSONIs(t *testing.T) {
	d := mustParse(t, yamlDoc)
	ops := d.Operations()
	if len(ops) != 1 || ops[0].Name != "getPet" || ops[0].Description != "shared" || !slices.Equal(ops[0].Tags, []string{"pets"}) {
		t.Errorf("got %+v", ops)
	}
	base, err := d.baseURL("")
	if err != nil || base.String() != "https://api.example.com/v1/" {
		t.Errorf("base URL %v, %v", base, err)
	}
	if title, version := d.Title(); title != "Pets" || version != "1.0.0" {
		t.Errorf("got %q, %q", title, version)
	}
}

func TestDocumentsAreRefusedWithAReason(t *testing.T) {
	small := &ParseOptions{MaxBytes: 4000, MaxDepth: 20, MaxValues: 200}
	bomb := "openapi: 3.0.3\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
	for _, c := range []struct {
		what, doc, want string
		opts            *ParseOptions
	}{
		{"nothing", "", "empty", nil},
		{"a text", "hello", "not an object", nil},
		{"a list", "[1]", "not an object", nil},
		{"bad YAML", "a: [", "neither JSON nor YAML", nil},
		{"no version", "{}", "only 3.0 and 3.1", nil},
		{"Swagger", `{"swagger":"2.0"}`, "Swagger 2.0", nil},
		{"the future", `{"openapi":"3.2.0","info":{"title":"","version":""},"paths":{}}`, "only 3.0 and 3.1", nil},
		{"size", document("3.0.0", "{}", strings.Repeat(" ", 4000)), "larger than 4000 bytes", small},
		{"depth", document("3.0.0", "{}", `,"x-a":`+strings.Repeat("[", 30)+strings.Repeat("]", 30)), "deeper than 20", small},
		{"depth in YAML", "openapi: 3.0.3\nx: " + strings.Repeat("[", 30) + strings.Repeat("]", 30), "deeper than 20", small},
		{"values", document("3.0.0", "{}", `,"x-a":[`+strings.Repeat("1,", 300)+"1]"), "more than 200 values", small},
		{"aliases", bomb, "more than 200 values", small},
		{"an alias of itself", "openapi: 3.0.3\na: &a\n  b: *a\n", "deeper than 20", small},
		{"a key twice", "openapi: 3.0.3\nopenapi: 3.0.3\n", "twice", nil},
		{"infinity", "openapi: 3.0.3\na: .inf\n", "not a number", nil},
		{"another document", operationDoc("3.0.0", "/x", "get", `"parameters":[{"$ref":"http://169.254.169.254/x?token=t#/a"}]`), "never fetched", nil},
		{"another document's schema", operationDoc("3.1.0", "/x", "get", `"parameters":[{"name":"a","in":"query","schema":{"$ref":"other.json#/a"}}]`), "never fetched", nil},
		{"a file", document("3.0.0", `{"/x":{"$ref":"/etc/passwd"}}`), "never fetched", nil},
		{"a reference to nowhere", operationDoc("3.0.0", "/x", "get", `"parameters":[{"name":"a","in":"query","schema":{"$ref":"#/components/schemas/No"}}]`), "", nil},
	} {
		_, err := Parse(t.Context(), []byte(c.doc), c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "openapi: ") {
			t.Errorf("%s: %v, want an error with %q", c.what, err, c.want)
		} else if strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v shows a query", c.what, err)
		}
	}
	brackets := document("3.0.0", "{}", `,"x-a":"\"`+strings.Repeat("[{", 30)+`\\"`)
	if _, err := Parse(t.Context(), []byte(brackets), small); err != nil {
		t.Errorf("brackets within a text: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Parse(cancelled, []byte(yamlDoc), nil); err == nil {
		t.Error("a cancelled context does not stop Parse")
	}
}

func TestOneBadOperationDoesNotCostTheOthers(t *testing.T) {
	d := mustParse(t, document("3.0.3", `{
		"/good":{"get":{"responses":{}}},
		"/style":{"get":{"responses":{},"parameters":[{"name":"a","in":"query","style":"matrix","schema":{}}]}},
		"/place":{"get":{"responses":{},"parameters":[{"name":"a","in":"body","schema":{}}]}},
		"/header":{"get":{"responses":{},"parameters":[{"name":"a b","in":"header","schema":{}}]}},
		"/{a":{"get":{"responses":{}}}, "/x?y={a}":{"get":{"responses":{}}}}`))
	if len(d.Operations()) != 1 || len(d.Skipped()) != 5 {
		t.Errorf("%d operations, skipped %v", len(d.Operations()), d.Skipped())
	}
	for _, err := range d.Skipped() {
		if !strings.HasPrefix(err.Error(), "openapi: GET /") {
			t.Error(err)
		}
	}
}

func TestLoadReadsFilesAndHTTPS(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.yaml")
	if err := os.WriteFile(path, []byte(yamlDoc), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := Load(t.Context(), path, nil); err != nil || len(d.Operations()) != 1 {
		t.Errorf("from a file: %v", err)
	}
	ts := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/api/doc.json", http.StatusFound)
		case "/plain":
			http.Redirect(w, r, "http://"+r.Host+"/doc", http.StatusFound)
		case "/missing":
			http.NotFound(w, r)
		default:
			fmt.Fprint(w, document("3.1.0", `{"/x":{"get":{"responses":{}}}}`, `,"servers":[{"url":"../v2"}]`))
		}
	}))
	defer ts.Close()
	d, err := Load(t.Context(), ts.URL+"/moved?token=t", &ParseOptions{Client: ts.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if base, err := d.baseURL(""); err != nil || base.String() != ts.URL+"/v2" {
		t.Errorf("the base URL is relative to where the document was found: %v, %v", base, err)
	}
	for source, want := range map[string]string{
		ts.URL + "/plain?token=t":          "away from https",
		ts.URL + "/missing?token=t":        "404",
		"http://example.com/doc?token=t":   "use https",
		"ftp://example.com/doc":            "use https",
		"https://":                         "not a URL",
		filepath.Join(t.TempDir(), "none"): "no such file",
		t.TempDir():                        "",
	} {
		_, err := Load(t.Context(), source, &ParseOptions{Client: ts.Client()})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "token") || !strings.HasPrefix(err.Error(), "openapi: ") {
			t.Errorf("%s: %v, want an error with %q", source, err, want)
		}
	}
	if _, err := Load(t.Context(), ts.URL+"/doc", &ParseOptions{Client: ts.Client(), MaxBytes: 10}); err == nil || !strings.Contains(err.Error(), "larger than 10") {
		t.Errorf("too large: %v", err)
	}
	ts.Client().CloseIdleConnections()
}

func TestBaseURLs(t *testing.T) {
	at := func(s string) *url.URL { u, _ := url.Parse(s); return u }
	for _, c := range []struct {
		servers, override string
		doc               *url.URL
		want, fail        string
	}{
		{servers: `[]`, override: "https://h/v1", want: "https://h/v1"},
		{servers: `[{"url":"https://h/a"},{"url":"https://other"}]`, want: "https://h/a"},
		{servers: `[]`, doc: at("https://h/docs/api.json"), want: "https://h/"},
		{servers: `[{"url":"v2"}]`, doc: at("https://h/docs/api.json"), want: "https://h/docs/v2"},
		{servers: `[{"url":"//x/y"}]`, doc: at("https://h/docs/api.json"), want: "https://x/y"},
		{servers: `[{"url":"https://{r}.h","variables":{"r":{"default":"eu"}}}]`, want: "https://eu.h"},
		{servers: `[]`, fail: "Options.BaseURL"},
		{servers: `[{"url":"/v1"}]`, fail: "Options.BaseURL"},
		{servers: `[{"url":"https://{r}.h"}]`, fail: "variable"},
		{servers: `[{"url":"file:///etc"}]`, fail: "http or https"},
		{servers: `[{"url":"https://u:p@h"}]`, fail: "user name"},
		{servers: `[]`, override: "ftp://h", fail: "Options.BaseURL"},
		{servers: `[]`, override: "https://h?key=secret", fail: "query"},
		{servers: `[]`, override: "h/v1", fail: "absolute"},
	} {
		d, err := Parse(t.Context(), []byte(document("3.1.0", `{"/x":{"get":{"responses":{}}}}`, `,"servers":`+c.servers)), &ParseOptions{URL: c.doc})
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.baseURL(c.override)
		switch {
		case c.fail != "":
			if err == nil || !strings.Contains(err.Error(), c.fail) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, %v, want an error with %q", c.servers, got, err, c.fail)
			}
			if _, err := NewServer(d, &Options{BaseURL: c.override}); err == nil {
				t.Errorf("%s: NewServer does not mind", c.servers)
			}
		case err != nil || got.String() != c.want:
			t.Errorf("%s: %v, %v, want %s", c.servers, got, err, c.want)
		}
	}
}

func TestFiltersChooseWithoutRenaming(t *testing.T) {
	d := mustParse(t, document("3.0.3", `{
		"/a":{"get":{"operationId":"users.list","tags":["users"],"responses":{}},"post":{"operationId":"users/list","tags":["users","write"],"responses":{}}},
		"/b":{"get":{"operationId":"pets_list","tags":["pets"],"responses":{}}},
		"/c":{"get":{"operationId":"old","deprecated":true,"responses":{}}}}`))
	names := func(o *Options) string {
		o.BaseURL = "http://h"
		s, err := NewServer(d, o)
		if err != nil {
			return err.Error()
		}
		var out []string
		for name := range (&api{t: t, session: connect(t, s)}).tools() {
			out = append(out, name)
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	all := strings.Fields(names(&Options{IncludeDeprecated: true}))
	if len(all) != 4 {
		t.Fatalf("got %q", all)
	}
	for _, c := range []struct {
		opts Options
		want string
	}{
		{Options{}, "pets_list " + all[2] + " " + all[3]},
		{Options{IncludeTags: []string{"pets", "none"}}, "pets_list"},
		{Options{ExcludeTags: []string{"write", "pets"}}, names(&Options{Include: []string{"users*"}, ExcludeTags: []string{"write"}})},
		{Options{Include: []string{"p*", "old"}, IncludeDeprecated: true}, "old pets_list"},
		{Options{Exclude: []string{"users*"}}, "pets_list"},
		{Options{Include: []string{"["}}, "openapi: making a server: the pattern \"[\" is malformed"},
		{Options{IncludeTags: []string{"typo"}}, "openapi: making a server: the options leave out all 4 operations"},
	} {
		if got := names(&c.opts); got != c.want {
			t.Errorf("%+v: %q, want %q", c.opts, got, c.want)
		}
	}
}

func TestAServerThatCannotBeResolvedCostsItsOperationsOnly(t *testing.T) {
	d := mustParse(t, document("3.1.0", `{"/a":{"get":{"operationId":"a","responses":{}}},"/b":{"servers":[{"url":"https://{region}.h"}],"get":{"operationId":"b","responses":{}}}}`,
		`,"servers":[{"url":"https://h"}]`))
	var log strings.Builder
	s := mustServer(t, d, &Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if tools := (&api{t: t, session: connect(t, s)}).tools(); len(tools) != 1 || tools["a"] == nil {
		t.Errorf("got %v", tools)
	}
	if !strings.Contains(log.String(), "GET /b") {
		t.Errorf("the log has %q", log.String())
	}
}

func TestProgressCountsToTheEnd(t *testing.T) {
	d := mustParse(t, document("3.0.3", `{"/a":{"get":{"responses":{}}},"/b":{"get":{"responses":{}}},"/c":{"get":{"responses":{}}}}`))
	var got []string
	mustServer(t, d, &Options{BaseURL: "http://h", Progress: func(done, total int) { got = append(got, fmt.Sprint(done, "/", total)) }})
	if want := []string{"1/3", "2/3", "3/3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParseAndNewServer(f *testing.F) {
	f.Add([]byte(yamlDoc))
	f.Add([]byte(document("3.1.0", `{"/x/{a}":{"post":{"parameters":[{"name":"a","in":"path","schema":{"$ref":"#/components/schemas/N"}}],"responses":{"200":{"description":"","content":{"application/json":{"schema":{"$ref":"#/components/schemas/N"}}}}},"requestBody":{"content":{"multipart/form-data":{"schema":{"$ref":"#/components/schemas/N"},"encoding":{"a":{"style":"deepObject"}}}}}}}}`,
		`,"components":{"schemas":{"N":{"type":["object","null"],"properties":{"n":{"$ref":"#/components/schemas/N"},"f":{}},"allOf":[{"$ref":"#/components/schemas/N"}],"nullable":true,"x-mcp-header":"X"}}}`)))
	f.Add([]byte(operationDoc("3.0.0", "/x?y=#z", "get", `"parameters":[{"name":"","in":"query"},{"in":"cookie","name":"c","content":{"*/*":{}}}]`)))
	f.Add([]byte("openapi: 3.1.0\npaths: {/a: {get: &a {responses: {x: *a}}}}"))
	for _, name := range []string{"pets30.yaml", "odd31.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		opts := &ParseOptions{MaxBytes: 64 << 10, MaxDepth: 60, MaxValues: 5000}
		d, err := Parse(t.Context(), data, opts)
		if err != nil {
			return
		}
		s, err := NewServer(d, &Options{BaseURL: "http://h", IncludeDeprecated: true, MaxSchemaBytes: 16 << 10})
		if err != nil {
			return
		}
		cs := connect(t, s)
		for tool, err := range cs.Tools(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			if !nameRE.MatchString(tool.Name) {
				t.Errorf("name %q", tool.Name)
			}
			if in := marshal(tool.InputSchema); !strings.Contains(string(in), `"type":"object"`) || strings.Contains(string(in), `"$ref":"http`) {
				t.Errorf("%s: %s", tool.Name, in)
			}
			if out, ok := tool.OutputSchema.(map[string]any); tool.OutputSchema != nil && (!ok || out["type"] != "object") {
				t.Errorf("%s: %v", tool.Name, tool.OutputSchema)
			}
		}
		for _, op := range d.operations {
			r, err := op.newRequest(t.Context(), &url.URL{Scheme: "http", Host: "h"}, []byte(`{"a":"../x","body":{"a":[1],"text":"x"}}`))
			if err == nil {
				if r.URL.Host != "h" || strings.Contains(r.URL.Path, "/../") {
					t.Errorf("%s goes to %s", op.key(), r.URL)
				}
				_, _ = io.Copy(io.Discard, r.Body)
			}
		}
	})
}
