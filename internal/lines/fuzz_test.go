package lines

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The oracle is the transport that ours stands in for.
func FuzzSameAsTheSDK(f *testing.F) {
	nested := `{"jsonrpc":"2.0","method":"m","params":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + `}`
	for _, s := range []string{
		``, ` `, "\r", "\u00a0", "\v" + one, one, two, three, " \t" + one + " \r", one + two, one + " " + two, one + "\r" + two, one + "\r x", one + ",", one + "x",
		`[` + one + `,` + two + `,` + three + `]`, ` [ ` + one + ` ] `, `[]`, `[[` + one + `]]`, `[` + one, `[` + one + `,{}]`, `[` + one + `,null]`, `[` + one + `,]`,
		`[` + one + `,` + one + `]`, `[` + two + `,` + two + `]`, `[` + three + `,` + three + `]`, `[` + one + `,` + three + `,` + one + `]`,
		`null`, `{}`, `7`, `"x"`, "\x00", "\uFEFF" + one, nested, `[` + nested + `]`, message(512) + " x",
		`{"jsonrpc":"2.0","id":1.5e3,"method":"","params":null}`, `{"jsonrpc":"2.0","id":-0,"method":"\u00e9\ud800"}`, `{"jsonrpc":"2.0","id":1e999,"result":1}`,
		`{"jsonrpc":"2.0","id":"a","error":{"code":-32600,"message":"m","data":[1, {"a" : null}]}}`, `{"jsonrpc":"2.0","id":1,"error":null}`,
		`{"jsonrpc":"2.0","id":1,"id":null,"method":"m","method":null,"JSONRPC":"1.0"}`, `{"jsonrpc":"2.0","id":1,"result":"<` + "\xff\u2028" + `>"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		line = bytes.ReplaceAll(line, []byte("\n"), []byte(" "))
		ours, err := readAll(t.Context(), readFrom(t, bytes.NewReader(slices.Concat(line, []byte("\n")))))

		// We let white space stand around a line. The SDK refuses a blank after the value, and what is white space to Unicode
		// but not to JSON.
		line = bytes.Trim(line, " \t\r\n")
		// A line holds one value. To the SDK, CR ends a line too, and what follows a value in another Read is the next value.
		if first := json.NewDecoder(bytes.NewReader(line)); first.Decode(new(json.RawMessage)) == nil && first.InputOffset() < int64(len(line)) {
			if len(ours) > 0 || err == io.EOF {
				t.Errorf("%q has more than one value, but gives %q and %v", line, encode(t, ours...), err)
			}
			return
		}

		c := connect(t, &mcp.IOTransport{
			Reader: io.NopCloser(bytes.NewReader(slices.Concat(line, []byte("\n")))), Writer: stream{}, MaxLineLength: -1,
		})
		theirs, theirErr := readAll(t.Context(), c)
		if len(ours) > 0 && line[0] == '[' {
			// The SDK answers a batch with a batch, for which it tells requests apart by their ids; notifications have none and
			// pass for requests with the same one. And it bounds the nesting of the batch at 1000, which we do for each message.
			if sharesID(ours) || nesting(line) == 1001 {
				if len(theirs) > 0 || theirErr == io.EOF {
					t.Errorf("%q is no exception any more: the SDK gives %q and %v", line, encode(t, theirs...), theirErr)
				}
				return
			}
		}
		got, want := encode(t, ours...), encode(t, theirs...)
		if !slices.Equal(got, want) || (err == io.EOF) != (theirErr == io.EOF) {
			t.Errorf("%q gives %q and %v, and with the SDK %q and %v", line, got, err, want, theirErr)
		}
	})
}

// sharesID tells whether two requests have the same id, or none.
func sharesID(batch []jsonrpc.Message) bool {
	seen := make(map[jsonrpc.ID]bool)
	for _, m := range batch {
		if r, ok := m.(*jsonrpc.Request); ok {
			if seen[r.ID] {
				return true
			}
			seen[r.ID] = true
		}
	}
	return false
}

// nesting returns how deep the arrays and objects of a JSON value are within one another.
func nesting(value []byte) (deepest int) {
	depth := 0
	for d := json.NewDecoder(bytes.NewReader(value)); ; {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
			deepest = max(deepest, depth)
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
}
