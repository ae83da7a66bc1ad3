package mcpgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

func kept(t testing.TB, text string) (store *ResultStore, ctx context.Context, handle string) {
	t.Helper()
	store, ctx = NewResultStore(nil), userContext("alice")
	if handle = store.put(ctx, text); handle == "" {
		t.Fatal("not kept")
	}
	return store, ctx, handle
}

func TestReadResultByBytesLinesAndPattern(t *testing.T) {
	store, ctx, handle := kept(t, "first\nzwölf €\n\nfourth")
	for _, tt := range []struct {
		q    ReadQuery
		want string
		next int
	}{
		{ReadQuery{}, "first\nzwölf €\n\nfourth", 0},
		{ReadQuery{Offset: 6, Length: 3}, "zw", 8}, // ö is two bytes
		{ReadQuery{Offset: 8, Length: 1}, "ö", 10}, // a page is never empty before the end
		{ReadQuery{Offset: 9, Length: 1}, "ö", 10},
		{ReadQuery{Offset: 18, Length: 100}, "fourth", 0},
		{ReadQuery{Offset: 24}, "", 0},
		{ReadQuery{FirstLine: 2, LastLine: 2}, "zwölf €\n", 17},
		{ReadQuery{FirstLine: 3}, "\nfourth", 0},
		{ReadQuery{LastLine: 1}, "first\n", 6},
		{ReadQuery{FirstLine: 4, LastLine: 9}, "fourth", 0},
		{ReadQuery{Pattern: "f"}, "line 1, byte 0: first\nline 2, byte 11: zwölf €\nline 4, byte 18: fourth\n", 0},
		{ReadQuery{Pattern: "^fo.*h$"}, "line 4, byte 18: fourth\n", 0},
		{ReadQuery{Pattern: "(?i)FIRST"}, "line 1, byte 0: first\n", 0},
		{ReadQuery{Pattern: "nothing"}, "", 0},
	} {
		page, err := store.ReadResult(ctx, handle, tt.q)
		if err != nil || page.Text != tt.want || page.Next != tt.next || page.Total != 24 || page.Lines != 4 {
			t.Errorf("%+v: %+v, %v, want %q", tt.q, page, err, tt.want)
		}
	}
	for _, bad := range []ReadQuery{
		{Offset: -1}, {Offset: 25}, {Length: -1}, {FirstLine: 5}, {FirstLine: 3, LastLine: 2}, {LastLine: -1},
		{Pattern: "("}, {Pattern: strings.Repeat("x", 600)}, {Pattern: "(?:ab?){900}"},
	} {
		if page, err := store.ReadResult(ctx, handle, bad); err == nil || !strings.HasPrefix(err.Error(), "mcpgroup: reading a result: ") {
			t.Errorf("%+v: %+v, %v", bad, page, err)
		}
	}
}

func TestPagesAreBounded(t *testing.T) {
	text := strings.Repeat("€", 50_000)
	store, ctx, handle := kept(t, text)
	var all strings.Builder
	for q := (ReadQuery{}); ; {
		page, err := store.ReadResult(ctx, handle, q)
		if err != nil || len(page.Text) > maxRead || !utf8.ValidString(page.Text) {
			t.Fatalf("a page of %d bytes, %v", len(page.Text), err)
		}
		all.WriteString(page.Text)
		if page.Next == 0 {
			break
		}
		q.Offset = page.Next
	}
	if all.String() != text {
		t.Errorf("read %d bytes of %d", all.Len(), len(text))
	}
	store, ctx, handle = kept(t, strings.Repeat("match\n", 1000))
	page, err := store.ReadResult(ctx, handle, ReadQuery{Pattern: "match"})
	if err != nil || !page.More || strings.Count(page.Text, "\n") != maxMatches {
		t.Errorf("%d matches, more %t, %v", strings.Count(page.Text, "\n"), page.More, err)
	}
}

// A line may be megabytes long, as JSON often is: it is searched in pieces, and shown around the match.
func TestSearchingLongLines(t *testing.T) {
	for _, at := range []int{0, 10, searchPiece - 3, searchPiece - searchOverlap, 2*searchPiece - searchOverlap - 2, 999_990} {
		line := []byte(strings.Repeat("é", 500_000))
		copy(line[at&^1:], "needle")
		store, ctx, handle := kept(t, "short\n"+string(line))
		page, err := store.ReadResult(ctx, handle, ReadQuery{Pattern: "need+le"})
		if err != nil || !strings.HasPrefix(page.Text, fmt.Sprintf("line 2, byte %d: ", 6+at&^1)) || !strings.Contains(page.Text, "needle") {
			t.Errorf("at %d: %.100q, %v", at, page.Text, err)
		}
		if len(page.Text) > 1000 || !utf8.ValidString(page.Text) {
			t.Errorf("at %d: an excerpt of %d bytes", at, len(page.Text))
		}
	}
	store, ctx, handle := kept(t, strings.Repeat("x", 1<<20))
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := store.ReadResult(ctx, handle, ReadQuery{Pattern: "y"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a search for nobody = %v", err)
	}
}

// The largest result that is kept takes simple expressions, and a smaller one takes more complex ones.
func TestSearchesThatWouldTakeLongAreRefused(t *testing.T) {
	const largest = 4 << 20
	for pattern, simple := range map[string]bool{
		"[ab]{900}c": false, `(?i)\pL{400}\d`: false, "(a|b){30}c": false,
		"error|warning": true, `(?i)status[^0-9]*[45]\d\d`: true, `\d{4}-\d\d-\d\dT\d\d:\d\d`: true,
	} {
		for size, ok := range map[int]bool{0: true, 1000: true, 100_000: true, largest: simple, 100 * largest: false} {
			if _, err := compilePattern(pattern, size); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "too complex for a result of") {
				t.Errorf("%s in %d bytes: %v", pattern, size, err)
			}
		}
	}
	store, ctx, handle := kept(t, strings.Repeat("ab", 1<<20))
	if page, err := store.ReadResult(ctx, handle, ReadQuery{Pattern: "[ab]{900}c"}); err == nil {
		t.Errorf("searched to %+v", page)
	}
}

func TestTheReadResultToolReadsAndExplains(t *testing.T) {
	store, ctx, handle := kept(t, "alpha\nbeta\ngamma")
	tool, call := store.readResultTool(ResultPolicy{})
	if tool.Name != "read_result" || !tool.Annotations.ReadOnlyHint {
		t.Errorf("the tool is %+v", tool)
	}
	in, err := schema.Compile(tool.InputSchema, nil)
	if err != nil {
		t.Fatal(err)
	}
	if renamed, _ := store.readResultTool(ResultPolicy{ReadTool: "fleet__read"}); renamed.Name != "fleet__read" {
		t.Errorf("the tool is called %q", renamed.Name)
	}
	for _, tt := range []struct {
		args    map[string]any
		want    string
		failed  bool
		invalid bool // by the schema, which a caller may not have asked
	}{
		{args: map[string]any{"handle": handle}, want: "alpha\nbeta\ngamma\n[The result has 16 bytes and 3 lines.]"},
		{args: map[string]any{"handle": handle, "offset": 6.0, "length": json.Number("4")}, want: "beta\n[Bytes 6 to 10 of 16, 3 lines in all. Go on with offset 10.]"},
		{args: map[string]any{"handle": handle, "first_line": 2, "last_line": int64(2)}, want: "beta\n\n[Bytes 6 to 11 of 16, 3 lines in all. Go on with offset 11.]"},
		{args: map[string]any{"handle": handle, "pattern": "^g"}, want: "line 3, byte 11: gamma\n\n[The result has 16 bytes and 3 lines.]"},
		{args: map[string]any{"handle": handle, "pattern": "x"}, want: "[Nothing matches in 16 bytes, 3 lines.]"},
		{args: map[string]any{"handle": "NOTHING"}, want: "no such result; it may have expired: call the tool again", failed: true},
		{args: map[string]any{"handle": handle, "pattern": "("}, want: "missing closing )", failed: true},
		{args: map[string]any{"handle": handle, "offset": 99}, want: "offset 99 is not within its 16 bytes", failed: true},
		{args: map[string]any{"handle": handle, "offset": 1.5}, want: "offset must be a whole number", failed: true, invalid: true},
		{args: map[string]any{"handle": handle, "offset": 1e300}, want: "offset must be a whole number", failed: true},
		{args: map[string]any{"handle": 5}, want: "handle must be a string", failed: true, invalid: true},
		{args: map[string]any{"handle": handle, "x": 5}, want: "there is no argument x", failed: true, invalid: true},
		{args: nil, want: "no such result", failed: true, invalid: true},
	} {
		object, err := schema.Normalize(tt.args)
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Validate(object); (err != nil) != tt.invalid {
			t.Errorf("%v: the schema says %v", tt.args, err)
		}
		res, err := call(ctx, tt.args)
		if err != nil || res.IsError != tt.failed || !strings.Contains(res.Text(), tt.want) || !tt.failed && res.Text() != tt.want {
			t.Errorf("%v: %q (failed %t), %v, want %q", tt.args, res.Text(), res.IsError, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := call(ctx, map[string]any{"handle": handle}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// What the tool returns is within the bound of the policy that sends the model there.
func TestPagesOfTheToolPassThePolicy(t *testing.T) {
	store, ctx, handle := kept(t, strings.Repeat("xyz\n", 1<<18))
	for _, p := range []ResultPolicy{{}, {MaxBytes: minResultLimit}, {MaxTokens: 1000}, {MaxBytes: 1 << 20}} {
		_, call := store.readResultTool(p)
		for _, args := range []map[string]any{{}, {"first_line": 100_000}, {"pattern": "y"}, {"length": 1 << 20, "offset": 5}} {
			args["handle"] = handle
			res, err := call(ctx, args)
			if err != nil || res.IsError || len(res.Text()) < 500 {
				t.Fatalf("%v: %v, %v", args, res, err)
			}
			if p.Apply(ctx, res, store) != res {
				t.Errorf("%+v: a page of %d bytes would be shortened again", p, len(res.Text()))
			}
		}
	}
}

func FuzzReadResult(f *testing.F) {
	f.Add("a\nb€c\n\n", 0, 3, 1, 2, "b.")
	f.Add("", 0, 0, 0, 0, "")
	f.Add("é\xffé", 1, 1, 0, 0, "(x")
	f.Fuzz(func(t *testing.T, text string, offset, length, first, last int, pattern string) {
		text = strings.ToValidUTF8(text, "?")
		store, ctx := NewResultStore(nil), userContext("alice")
		handle := store.put(ctx, text)
		page, err := store.ReadResult(ctx, handle, ReadQuery{offset, length, first, last, pattern})
		if err != nil {
			return
		}
		if len(page.Text) > maxRead || !utf8.ValidString(page.Text) || page.Total != len(text) {
			t.Fatalf("%+v", page)
		}
		if pattern == "" && (text[page.From:page.From+len(page.Text)] != page.Text || page.Next != 0 && page.Next != page.From+len(page.Text)) {
			t.Fatalf("%+v is not of %q", page, text)
		}
	})
}
