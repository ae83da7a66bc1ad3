package openapi

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A received body, as a real server reads it.
type received struct {
	contentType string
	data        string
}

// bodyAPI is an operation with that request body, whose back end keeps what it gets.
func bodyAPI(t *testing.T, version, content string) (*api, *received) {
	t.Helper()
	var got received
	a := newAPI(t, operationDoc(version, "/x", "post", `"requestBody":{"content":`+content+`}`), func(_ http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = received{r.Header.Get("Content-Type"), string(data)}
	}, nil)
	return a, &got
}

func TestBodiesAreWrittenAsTheirMediaTypesSay(t *testing.T) {
	for _, c := range []struct{ what, content, args, contentType, want string }{
		{"JSON keeps numbers and order", `{"application/json":{"schema":{"type":"object"}}}`, `{"body": {"z": 1, "a": 12345678901234567890, "f": 1.10}}`,
			"application/json", `{"z":1,"a":12345678901234567890,"f":1.10}`},
		{"JSON of vendors", `{"application/xml":{},"application/vnd.api+json":{}}`, `{"body":[1]}`, "application/vnd.api+json", `[1]`},
		{"anything is JSON", `{"*/*":{}}`, `{"body":"x"}`, "application/json", `"x"`},
		{"null is a body", `{"application/json":{}}`, `{"body":null}`, "application/json", `null`},
		{"text", `{"text/plain":{}}`, `{"body":"a\nü"}`, "text/plain; charset=utf-8", "a\nü"},
		{"XML", `{"application/xml":{}}`, `{"body":"<a/>"}`, "application/xml", "<a/>"},
		{"bytes as base64", `{"application/octet-stream":{}}`, `{"body":{"base64":"AP8="}}`, "application/octet-stream", "\x00\xff"},
		{"bytes as text", `{"image/svg":{}}`, `{"body":{"text":"x"}}`, "image/svg", "x"},
		{"the caller's media type within a range", `{"image/*":{}}`, `{"body":{"base64":"AA","contentType":"image/png"}}`, "image/png", "\x00"},
		{"and not outside", `{"image/*":{}}`, `{"body":{"base64":"AA","contentType":"text/html"}}`, "application/octet-stream", "\x00"},
		{"a form", `{"application/x-www-form-urlencoded":{}}`, `{"body":{"b":"x y&z=+~","a":[1,"2"],"o":{"k":"v w"},"n":null,"t":true}}`,
			formMedia, "b=x+y%26z%3D%2B%7E&a=1&a=2&o=%7B%22k%22%3A%22v+w%22%7D&t=true"},
		{"the specification's form with JSON", `{"application/x-www-form-urlencoded":{}}`,
			`{"body":{"id":"f81d4fae-7dec-11d0-a765-00a0c91e6bf6","address":{"streetAddress":"123 Example Dr.","city":"Somewhere","state":"CA","zip":"99999+1234"}}}`,
			formMedia, "id=f81d4fae-7dec-11d0-a765-00a0c91e6bf6&address=%7B%22streetAddress%22%3A%22123+Example+Dr.%22%2C%22city%22%3A%22Somewhere%22%2C%22state%22%3A%22CA%22%2C%22zip%22%3A%2299999%2B1234%22%7D"},
		{"a form with JSON fields", `{"application/x-www-form-urlencoded":{"encoding":{"id":{"contentType":"application/json"}}}}`,
			`{"body":{"id":"a"}}`, formMedia, "id=%22a%22"},
		{"a form with styles", `{"application/x-www-form-urlencoded":{"encoding":{"d":{"style":"deepObject","explode":true},"l":{"explode":false},"s":{"style":"spaceDelimited"},"r":{"allowReserved":true}}}}`,
			`{"body":{"d":{"a":{"b":1},"c":[1,2]},"l":["x","y z"],"s":["1","2"],"r":"a/b"}}`, formMedia,
			"d%5Ba%5D%5Bb%5D=1&d%5Bc%5D=1&d%5Bc%5D=2&l=x,y%20z&s=1%202&r=a/b"},
	} {
		t.Run(c.what, func(t *testing.T) {
			a, got := bodyAPI(t, "3.1.0", c.content)
			a.ok("op", c.args)
			if got.contentType != c.contentType || got.data != c.want {
				t.Errorf("got  %s\n     %q\nwant %s\n     %q", got.contentType, got.data, c.contentType, c.want)
			}
		})
	}
}

func TestFormsSurviveTheRoundTrip(t *testing.T) {
	a, got := bodyAPI(t, "3.0.3", `{"application/x-www-form-urlencoded":{"schema":{"type":"object"}}}`)
	want := url.Values{}
	body := map[string]any{}
	for i, s := range hostile {
		s = strings.ToValidUTF8(s, "\uFFFD")
		name := fmt.Sprint(i, s)
		want[name] = []string{s, hostile[i/2]}
		body[name] = []any{s, hostile[i/2]}
	}
	args, _ := json.Marshal(map[string]any{"body": body})
	a.ok("op", string(args))
	if values, err := url.ParseQuery(got.data); err != nil || !reflect.DeepEqual(values, want) {
		t.Errorf("%v\n got %q\nwant %q", err, values, want)
	}
}

type part struct{ name, filename, contentType, data string }

func readParts(t *testing.T, got *received) []part {
	t.Helper()
	_, params, err := mime.ParseMediaType(got.contentType)
	if err != nil {
		t.Fatal(err)
	}
	var out []part
	for r := multipart.NewReader(strings.NewReader(got.data), params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, part{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(data)})
	}
}

func TestMultipartFormsHoldFilesAndFields(t *testing.T) {
	for _, c := range []struct {
		version, schema string
	}{
		{"3.0.3", `{"type":"object","required":["file"],"properties":{"file":{"type":"string","format":"binary"},"files":{"type":"array","items":{"type":"string","format":"binary"}},"tags":{"type":"array","items":{"type":"string"}},"meta":{"type":"object"}}}`},
		{"3.1.0", `{"allOf":[{"$ref":"#/x-form"}],"properties":{"files":{"type":"array","items":{"type":"string","contentMediaType":"image/png"}}}}`},
	} {
		fields := `"requestBody":{"content":{"multipart/form-data":{"schema":` + c.schema + `,"encoding":{
			"file":{"contentType":"image/png, image/jpeg"},"xml":{"contentType":"application/xml"},"deep":{"style":"deepObject","explode":true},"csv":{"style":"form","explode":false}}}}}`
		doc := strings.TrimSuffix(operationDoc(c.version, "/x", "post", fields), "}") +
			`,"x-form":{"type":"object","required":["file"],"properties":{"file":{},"tags":{"type":"array","items":{"type":"string"}},"meta":{"type":"object"}}}}`
		var got received
		a := newAPI(t, doc, func(_ http.ResponseWriter, r *http.Request) {
			data, _ := io.ReadAll(r.Body)
			got = received{r.Header.Get("Content-Type"), string(data)}
		}, nil)
		in := a.tools()["op"].InputSchema.(map[string]any)["properties"].(map[string]any)["body"].(map[string]any)
		sameJSON(t, in["required"], `["file"]`)
		file := in["properties"].(map[string]any)["file"].(map[string]any)["properties"].(map[string]any)
		if file["base64"] == nil || file["text"] == nil {
			t.Errorf("%s: the schema of a file is %v", c.version, file)
		}
		a.ok("op", `{"body":{"file":{"base64":"iVBORw0K","filename":"a \"b\".png","contentType":"image/jpeg"},"files":[{"text":"1"},{"base64":"_-8=","filename":"../x"}],
			"tags":["a","b\r\n--x"],"meta":{"k":[1]},"xml":"<a/>","deep":{"a":1},"csv":["x","y"],"n\"\r\nX: y":1,"none":null}}`)
		want := []part{
			{"file", `a "b".png`, "image/jpeg", "\x89PNG\r\n"},
			{"files", "files", "application/octet-stream", "1"},
			{"files", "x", "application/octet-stream", "\xff\xef"}, // servers cut paths off names
			{"tags", "", "", "a"}, {"tags", "", "", "b\r\n--x"},
			{"meta", "", "application/json", `{"k":[1]}`},
			{"xml", "", "application/xml", "<a/>"},
			{"deep[a]", "", "", "1"},
			{"csv", "", "", "x,y"},
			{"n\"%0D%0AX: y", "", "", "1"},
		}
		if parts := readParts(t, &got); !slices.Equal(parts, want) {
			t.Errorf("%s:\n got %q\nwant %q", c.version, parts, want)
		}
	}
}

func TestTheMediaTypeThatAModelWritesBestIsTaken(t *testing.T) {
	for _, c := range []struct {
		method, version, content string
		want                     string
	}{
		{"post", "3.0.3", `{"application/xml":{},"text/plain":{},"application/json":{}}`, "application/json"},
		{"post", "3.0.3", `{"application/xml":{},"application/x-www-form-urlencoded":{}}`, formMedia},
		{"post", "3.0.3", `{"application/x-www-form-urlencoded":{},"multipart/form-data":{"schema":{"type":"object","properties":{"a":{"type":"string"}}}}}`, formMedia},
		{"post", "3.0.3", `{"application/x-www-form-urlencoded":{},"multipart/form-data":{"schema":{"type":"object","properties":{"a":{"anyOf":[{"type":"string","format":"binary"},{"nullable":true}]}}}}}`, multipartMedia},
		{"delete", "3.0.3", `{"application/json":{}}`, "application/json"},
		{"get", "3.0.3", `{"application/json":{}}`, ""},
		{"get", "3.1.0", `{"application/json":{}}`, "application/json"},
		{"head", "3.1.0", `{"application/json":{}}`, ""},
		{"post", "3.1.0", `{}`, ""},
	} {
		d := mustParse(t, operationDoc(c.version, "/x", c.method, `"requestBody":{"content":`+c.content+`}`))
		got := ""
		if b := d.operations[0].body; b != nil {
			got = b.contentType
		}
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.method, c.content, got, c.want)
		}
	}
}

func TestBodiesThatCannotBeWrittenSendNothing(t *testing.T) {
	calls := 0
	paths := `{"/f":{"post":{"operationId":"form","responses":{},"requestBody":{"required":true,"content":{"application/x-www-form-urlencoded":{"encoding":{"s":{"style":"spaceDelimited"}}}}}}},
		"/m":{"post":{"operationId":"files","responses":{},"requestBody":{"content":{"multipart/form-data":{"schema":{"properties":{"file":{"type":"string","format":"binary"}}}}}}}},
		"/b":{"post":{"operationId":"bytes","responses":{},"requestBody":{"content":{"image/*":{}}}}}}`
	a := newAPI(t, document("3.1.0", paths), func(http.ResponseWriter, *http.Request) { calls++ }, nil)
	for _, c := range [][3]string{
		{"form", `{}`, `argument "body" is required`},
		{"form", `{"body":"a=b"}`, "must be an object"},
		{"form", `{"body":{"s":["a b"]}}`, "separates"},
		{"files", `{"body":{"file":{}}}`, `either "text" or "base64"`},
		{"files", `{"body":{"file":{"text":"a","base64":"aa"}}}`, `either "text" or "base64"`},
		{"files", `{"body":{"file":{"base64":"!"}}}`, "not base64"},
		{"files", `{"body":{"file":{"path":"/etc/passwd"}}}`, `no "path"`},
		{"files", `{"body":{"file":7}}`, "a file is an object"},
		{"files", `{"body":{"file":{"text":"x","contentType":"a\r\nb"}}}`, "not a content type"},
		{"bytes", `{"body":{"text":"x","contentType":"image/\r\nX: y"}}`, "not a content type"},
		{"bytes", `{"body":{"text":7}}`, "must be a text"},
		{"bytes", `{"other":1}`, `no argument "other"`},
	} {
		if got := a.fails(c[0], c[1], c[2]); !strings.HasSuffix(got, "nothing was sent") {
			t.Errorf("%v: %q", c, got)
		}
	}
	if calls != 0 {
		t.Errorf("%d requests were sent", calls)
	}
}
