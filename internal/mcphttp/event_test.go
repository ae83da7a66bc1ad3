package mcphttp

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// everything keeps all events.
func everything(string, []byte) (verdict, error) { return keep, nil }

// passThrough returns what a stream of text is turned into.
func passThrough(t testing.TB, text string, e events, wrap func(io.Reader) io.Reader) (string, error) {
	t.Helper()
	if e.judge == nil {
		e.judge = everything
	}
	if e.limit == 0 {
		e.limit = 1 << 20
	}
	s := &stream{src: io.NopCloser(wrap(strings.NewReader(text))), events: e}
	b, err := io.ReadAll(s)
	return string(b), err
}

func whole(r io.Reader) io.Reader { return r }

func TestStreamsAreWrittenAnewInAFormTheSDKReads(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "event: message\nid: 1\ndata: x\n\n", "event: message\nid: 1\ndata: x\n\n"},
		{"CRLF", "data: x\r\ndata: y\r\n\r\n", "data: x\ndata: y\n\n"},
		{"CR", "data: x\r\rdata: y\r\r", "data: x\n\ndata: y\n\n"},
		{"no space", "data:x\n\n", "data:x\n\n"},
		{"no colon", "data\n\n", "data:\n\n"},
		{"empty data lines", "data\ndata\n\n", ""},
		{"id without colon", "id\ndata: x\n\n", "id:\ndata: x\n\n"},
		{"id with NUL", "id: a\x00b\ndata: x\n\n", "data: x\n\n"},
		{"comments", ": a\n\n:b\ndata: x\n: c\n\n", "data: x\n\n"},
		{"unknown fields", "foo: bar\nfoo\ndata: x\nDATA: y\n data: z\n\n", "data: x\n\n"},
		{"byte order mark", "\xef\xbb\xbfdata: x\n\n", "data: x\n\n"},
		{"byte order mark later", "data: x\n\n\xef\xbb\xbfdata: y\n\n", "data: x\n\n"},
		{"retry", "retry: 250\n\n", "retry:250\n\n"},
		{"long retry", "retry: 3600000\n\n", "retry:30000\n\n"},
		{"endless retry", "retry: 99999999999999999999999\ndata: x\n\n", "data: x\n\n"},
		{"bad retry", "retry: soon\nretry: -1\nretry\ndata: x\n\n", "data: x\n\n"},
		{"empty lines", "\n\n\r\n\rdata: x\n\n\n\n", "data: x\n\n"},
		{"cut", "data: x\n\ndata: {\"jsonrpc\"", "data: x\n\n"},
		{"cut after a line", "data: x\n\ndata: y\n", "data: x\n\n"},
		{"whole but for the empty line", `data: {"jsonrpc":"2.0","id":1,"result":1}`, `data: {"jsonrpc":"2.0","id":1,"result":1}` + "\n\n"},
		{"empty", "", ""},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{"whole": whole, "by bytes": iotest.OneByteReader, "with its end": iotest.DataErrReader} {
			got, err := passThrough(t, tt.in, events{}, wrap)
			if err != nil || got != tt.want {
				t.Errorf("%s, read %s: %q, %v, want %q", tt.name, how, got, err, tt.want)
			}
		}
	}
}

func TestEventsAreLimitedOneByOne(t *testing.T) {
	small := "data: " + strings.Repeat("a", 90) + "\n\n"
	large := "id: 9\ndata: " + strings.Repeat("b", 50) + "\ndata: " + strings.Repeat("b", 50) + "\n\n"
	for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": whole, "by bytes": iotest.OneByteReader} {
		got, err := passThrough(t, strings.Repeat(small, 10)+large+small, events{limit: 100}, wrap)
		var tooLarge *TooLargeError
		if !errors.As(err, &tooLarge) || got != strings.Repeat(small, 10) {
			t.Errorf("%s: %d bytes, %v, want the ten events before the large one and a TooLargeError", name, len(got), err)
		}
		got, err = passThrough(t, small+large+small+large, events{limit: 100, lenient: true}, wrap)
		if err != nil || got != small+small {
			t.Errorf("%s, lenient: %q, %v, want the small events", name, got, err)
		}
	}
	// Comments are no part of an event, so that a quiet stream can live for ever.
	if got, err := passThrough(t, strings.Repeat(": ping\n", 1000)+small, events{limit: 100}, whole); err != nil || got != small {
		t.Errorf("after many comments: %q, %v", got, err)
	}
	if _, err := passThrough(t, strings.Repeat("data\n", 1000), events{limit: 100}, whole); err == nil {
		t.Error("an endless event of empty lines passed")
	}
}

func TestStreamRemembersWhereToResume(t *testing.T) {
	s := &stream{src: io.NopCloser(strings.NewReader("id: 1\ndata: x\n\nid: 2\nretry: 1500\ndata: y\n\ndata: z\n\n")),
		events: events{limit: 100, judge: everything}}
	if _, err := io.ReadAll(s); err != nil {
		t.Fatal(err)
	}
	if s.events.eventID != "2" || s.events.retry != 1500*time.Millisecond {
		t.Errorf("event id %q, retry %v", s.events.eventID, s.events.retry)
	}
}

func TestLargeEventsDoNotStayInMemory(t *testing.T) {
	text := "data: " + strings.Repeat("a", 1<<20) + "\n\n"
	s := &stream{src: io.NopCloser(strings.NewReader(text + "data: x\n\n")), events: events{limit: 2 << 20, judge: everything}}
	if _, err := io.ReadAll(s); err != nil {
		t.Fatal(err)
	}
	if n := cap(s.events.out); n > keptBuffer {
		t.Errorf("a quiet stream holds on to %d bytes", n)
	}
}

// event is what the standard dispatches.
type event struct{ name, data string }

// interpret is the standard's algorithm, on the whole stream and without regard to cost.
func interpret(text string) (found []event) {
	text = strings.TrimPrefix(text, "\xef\xbb\xbf")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	var data, name string
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if data != "" {
				found = append(found, event{name, strings.TrimSuffix(data, "\n")})
			}
			data, name = "", ""
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			data += value + "\n"
		case "event":
			name = value
		}
	}
	return found
}

func FuzzEventsAgreeWithTheStandard(f *testing.F) {
	for _, s := range []string{
		"data: x\n\n", "event: a\nid: 1\ndata: x\r\n\r\n", "data\rdata: y\r\r", "\xef\xbb\xbfdata:x\n\n", ": c\nfoo\nretry: 7\n\ndata:  x \n\n",
		"id: 3\n\ndata: a\n\n", "data: a\n\r\ndata: b\n\r", "retry: 99999999999999\ndata: {}\n\n\n",
	} {
		f.Add([]byte(s), uint64(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		// The same in random pieces.
		r := rand.New(rand.NewPCG(seed, 0))
		e := events{limit: int64(2*len(b) + 16), judge: everything}
		var out bytes.Buffer
		for rest := b; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			if err := e.feed(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
			for p := make([]byte, 1+r.IntN(8)); ; {
				n := e.take(p)
				if n == 0 {
					break
				}
				out.Write(p[:n])
			}
		}
		want := slices.DeleteFunc(interpret(string(b)), func(e event) bool {
			return strings.Contains(e.data, "\n") && len(bytes.TrimSpace([]byte(e.data))) == 0
		})
		if got := interpret(out.String()); !slices.Equal(got, want) {
			t.Errorf("%q became %q: %q, want %q", b, out.String(), got, want)
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if line != "" && !strings.Contains(line, ":") || strings.Contains(line, "\r") {
				t.Errorf("%q became %q, which the SDK cannot read", b, out.String())
			}
		}
		// A hard limit, and the end.
		small := events{limit: 8, judge: everything}
		if err := small.feed(b); err == nil {
			small.finish()
		}
		lenient := events{limit: 8, lenient: true, judge: everything}
		if err := lenient.feed(b); err != nil {
			t.Errorf("a lenient stream failed: %v", err)
		}
		lenient.finish()
	})
}
