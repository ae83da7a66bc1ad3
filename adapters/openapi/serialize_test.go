package openapi

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mcpfleet/mcpfleet/adapters/openapi/internal/styles"
)

func TestEveryStyleStandsOnTheWireAsTheSpecificationShows(t *testing.T) {
	cases := styles.Table()
	a := newAPI(t, string(styles.Document(cases)), styles.Backend, nil)
	for i, c := range cases {
		var wire styles.Wire
		args := `{"color":` + c.Value + `}`
		if err := json.Unmarshal([]byte(a.ok(styles.Tool(i), args)), &wire); err != nil {
			t.Fatal(err)
		}
		got := wire.At(c.In)
		if got != c.Want {
			t.Errorf("%v: %q on the wire, want %q", c, got, c.Want)
		}
		decoded, err := c.Decode(got)
		if err != nil || !reflect.DeepEqual(decoded, styles.Plain(c.Value)) {
			t.Errorf("%v: %q decodes to %v, %v", c, got, decoded, err)
		}
	}
}

// write runs the encoder of a case without HTTP.
func write(c styles.Case, value string) (string, error) {
	v, err := decodeValue(json.RawMessage(value))
	if err != nil {
		return "", err
	}
	p := &parameter{arg: "color", name: "color", in: c.In, serial: serialization{name: "color", style: c.Style, explode: c.Explode}}
	switch c.In {
	case "path":
		path, _, err := template{{text: "/x/"}, {name: "color", param: p}}.expand(func(p *parameter) (string, error) { return p.writePath(v) })
		return strings.TrimPrefix(path, "/x/"), err
	case "header":
		return p.header(v)
	}
	pairs, err := p.pairs(v)
	if c.In == "cookie" {
		return joinPairs(pairs, "; "), err
	}
	return joinPairs(pairs, "&"), err
}

// hostile are the texts that encoders fall over.
var hostile = []string{
	"", " ", "a b", "/", "..", ".", "../..", "a/../b", "a/b", "/a/", "..;x", "\\..\\", "%2e%2e", "%2F", "%", "%zz", "?", "#", "&", "=", "&a=b", ";", ";R=1",
	",", ",,", ".", "a.b", "|", "a|b", "+", "~", "\x00", "\r\n", "\r\nX: y", "\t", "\x7f", "ü", "日本", "\u2028", "\"", "'", "<script>", "[", "]",
	"[a]", "a[b", "color", "color=", "{", "}", "{x}", "0", "true", "null", strings.Repeat("x", 500), "a\xffb",
}

// checkRoundTrip encodes a value made of texts and decodes it again. A refusal is fine where the style cannot say it; a
// different value never is.
func checkRoundTrip(t *testing.T, c styles.Case, texts []string) {
	t.Helper()
	var v any
	switch c.Kind {
	case "primitive":
		v, texts = texts[0], texts[:1]
	case "array":
		v = texts
	default:
		m := map[string]string{}
		for i, s := range texts {
			m[texts[(i+1)%len(texts)]] = s
		}
		v = m
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	wire, err := write(c, string(data))
	if err != nil {
		if !mayRefuse(c, texts) {
			t.Errorf("%v: %s is refused: %v", c, data, err)
		}
		return
	}
	if strings.ContainsAny(wire, "\r\n\x00") || c.In != "header" && strings.ContainsAny(wire, " \"<>#[]{}|\\^`\t\x7f") && c.In != "cookie" {
		t.Errorf("%v: %s becomes %q, which no URL may hold", c, data, wire)
	}
	if c.In == "path" && strings.ContainsAny(wire, "/?#") {
		t.Errorf("%v: %s becomes %q, which leaves its segment", c, data, wire)
	}
	got, err := c.Decode(wire)
	if want := styles.Plain(string(data)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v: %s becomes %q, which decodes to %q, %v", c, data, wire, got, err)
	}
}

// mayRefuse says which texts a style cannot express.
func mayRefuse(c styles.Case, texts []string) bool {
	all := strings.Join(texts, "")
	switch {
	case c.In == "header":
		return strings.ContainsAny(all, ",=") || strings.ContainsFunc(all, func(r rune) bool { return r < ' ' || r == 0x7f })
	case c.In == "path":
		if c.Style == "label" && (strings.ContainsAny(all, `/\;`) || strings.Contains(all, "%")) {
			return true // the label's own dot before a slash
		}
		return strings.Contains(all, "\x00") || strings.Trim(all, `/\`) == "" || strings.Contains(all, "%2F") ||
			strings.Contains(all, ".") || strings.Contains(all, "%2e") || slices.Contains(texts, "")
	case c.Style == "spaceDelimited":
		return strings.Contains(all, " ")
	case c.Style == "pipeDelimited":
		return strings.Contains(all, "|")
	}
	return false
}

func TestHostileTextsSurviveTheRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range styles.Table() {
		for _, s := range hostile {
			checkRoundTrip(t, c, []string{s})
			checkRoundTrip(t, c, []string{s, "plain"})
		}
		for range 200 {
			texts := make([]string, 1+r.IntN(4))
			for i := range texts {
				texts[i] = hostile[r.IntN(len(hostile))] + hostile[r.IntN(len(hostile))]
			}
			checkRoundTrip(t, c, texts)
		}
	}
}

func FuzzStylesRoundTrip(f *testing.F) {
	for i, s := range hostile {
		f.Add(uint8(i), s, hostile[(i*7+3)%len(hostile)])
	}
	cases := styles.Table()
	f.Fuzz(func(t *testing.T, n uint8, a, b string) {
		checkRoundTrip(t, cases[int(n)%len(cases)], []string{a, b})
	})
}

func TestNothingEscapesItsPlaceOnARealServer(t *testing.T) {
	doc := document("3.1.0", `{"/a/{id}/b":{"get":{"operationId":"op","parameters":[
		{"name":"id","in":"path","required":true,"schema":{"type":"string"}},
		{"name":"q","in":"query","schema":{"type":"string"}},
		{"name":"X-H","in":"header","schema":{"type":"string"}},
		{"name":"c","in":"cookie","schema":{"type":"string"}}],"responses":{"200":{"description":"ok"}}}}}`)
	type seen struct{ id, q, h, c string }
	var got *seen
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a/{id}/b", func(_ http.ResponseWriter, r *http.Request) {
		if len(r.URL.Query()) > 1 || len(r.Cookies()) > 1 {
			t.Errorf("%s brought %v and %v", r.RequestURI, r.URL.Query(), r.Cookies())
		}
		got = &seen{r.PathValue("id"), r.URL.Query().Get("q"), r.Header.Get("X-H"), ""}
		if c := r.Header.Get("Cookie"); c != "" {
			got.c = c
		}
	})
	mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s reached another path", r.RequestURI) })
	a := newAPI(t, doc, mux.ServeHTTP, nil)
	for _, s := range hostile {
		args, _ := json.Marshal(map[string]string{"id": s, "q": s})
		s = strings.ToValidUTF8(s, "\uFFFD")
		got = nil
		res := a.call("op", string(args))
		if res.IsError != (got == nil) {
			t.Errorf("%q: isError %t, reached %v: %s", s, res.IsError, got, textOf(res))
		}
		if got != nil && (got.id != s || got.q != s) {
			t.Errorf("%q arrived as %q and %q", s, got.id, got.q)
		}
	}
	a.fails("op", `{"id":"x","X-H":"a\r\nB: c"}`, "cannot hold")
	a.ok("op", `{"id":"x","c":"a; b=c","X-H":"ü, b"}`)
	if got.c != "c=a%3B%20b%3Dc" || got.h != "ü, b" {
		t.Errorf("got %+v", got)
	}
}

func TestValuesThatTheTableLeavesOpen(t *testing.T) {
	for _, c := range []struct {
		what, fields, args, want string
	}{
		{"null is left out", `{"in":"query","name":"a","schema":{}}`, `{"a":null}`, ""},
		{"null with allowEmptyValue is empty", `{"in":"query","name":"a","allowEmptyValue":true,"schema":{}}`, `{"a":null}`, "a="},
		{"the empty string is not nothing", `{"in":"query","name":"a","schema":{}}`, `{"a":""}`, "a="},
		{"an empty list is", `{"in":"query","name":"a","explode":false,"schema":{}}`, `{"a":[]}`, ""},
		{"null items are left out", `{"in":"query","name":"a","explode":false,"schema":{}}`, `{"a":[1,null,2]}`, "a=1,2"},
		{"numbers stay as written", `{"in":"query","name":"a","schema":{}}`, `{"a":12345678901234567890}`, "a=12345678901234567890"},
		{"booleans are words", `{"in":"query","name":"a","schema":{}}`, `{"a":true}`, "a=true"},
		{"what nests is JSON", `{"in":"query","name":"a","schema":{}}`, `{"a":[{"b":"<"}]}`, "a=%7B%22b%22%3A%22%3C%22%7D"},
		{"deep objects nest", `{"in":"query","name":"a","style":"deepObject","explode":true,"schema":{}}`, `{"a":{"b":{"c":[1,2]}}}`,
			"a%5Bb%5D%5Bc%5D=1&a%5Bb%5D%5Bc%5D=2"},
		{"content is JSON", `{"in":"query","name":"a","content":{"application/json":{"schema":{}}}}`, `{"a":{"z":1,"b":[true]}}`,
			"a=%7B%22z%22%3A1%2C%22b%22%3A%5Btrue%5D%7D"},
		{"content is text", `{"in":"query","name":"a","content":{"text/plain":{"schema":{}}}}`, `{"a":"x&y"}`, "a=x%26y"},
		{"reserved characters stay", `{"in":"query","name":"a","allowReserved":true,"schema":{}}`, `{"a":"/?:@!$'()*,;=%2F"}`, "a=/?:@!$'()*,;=%2F"},
		{"but not those that end a value", `{"in":"query","name":"a","allowReserved":true,"schema":{}}`, `{"a":"&+#[]% é"}`, "a=%26%2B%23%5B%5D%25%20%C3%A9"},
		{"or separate values", `{"in":"query","name":"a","allowReserved":true,"explode":false,"schema":{}}`, `{"a":["x,y","z"]}`, "a=x%2Cy,z"},
		{"names are escaped", `{"in":"query","name":"a[b]&","schema":{}}`, `{"a_b":1}`, "a%5Bb%5D%26=1"},
	} {
		var query string
		a := newAPI(t, operationDoc("3.1.0", "/x", "get", `"parameters":[`+c.fields+`]`), func(_ http.ResponseWriter, r *http.Request) {
			_, query, _ = strings.Cut(r.RequestURI, "?")
		}, nil)
		if a.ok("op", c.args); query != c.want {
			t.Errorf("%s: %q, want %q", c.what, query, c.want)
		}
	}
}

func TestHeadersTakeListsThatCanBeReadAgain(t *testing.T) {
	s := serialization{name: "X", style: "simple", explode: true}
	for _, bad := range []string{`["a,b"]`, `{"a=b":1}`, `{"a":"b=c"}`, `"a\nb"`, `"\u0000"`} {
		v, err := decodeValue(json.RawMessage(bad))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.header(v); err == nil {
			t.Errorf("%s becomes %q", bad, got)
		}
	}
}
