package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/mcpfleet/mcpfleet/internal/figures"
)

// book knows the canaries: texts that must not appear anywhere but where they are sent. Its methods are safe for concurrent
// use.
type book struct {
	// mu guards all below.
	mu      sync.Mutex
	planted map[string]string // kind by text
	arrived map[string]bool   // kinds that were seen where they belong
	log     bytes.Buffer
	sinks   int
	bytes   int
	hits    int
	leaks   map[string]*leak // by what happened
	echoes  bool             // servers send back what they are sent
}

// leak is where canaries were seen after one event.
type leak struct {
	kinds, hows []string
	first       string // the text before a canary
}

// start is how much of a canary gives it away.
const start = 10

func newBook(echoes bool) *book {
	return &book{echoes: echoes, planted: map[string]string{}, arrived: map[string]bool{}, leaks: map[string]*leak{}}
}

// plant returns a new secret of a kind.
func (b *book) plant(kind string) string {
	text := rand.Text() + strings.ReplaceAll(kind, " ", "-")
	b.mu.Lock()
	defer b.mu.Unlock()
	b.planted[text] = kind
	return text
}

// arrive notes which canaries a server has been sent: a secret that nobody used cannot leak. It returns the first.
func (b *book) arrive(text string) (canary string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c, kind := range b.planted {
		if strings.Contains(text, c) {
			b.arrived[kind] = true
			canary = c
		}
	}
	return canary
}

// arriveRequest notes the canaries of a request, and returns them.
func (b *book) arriveRequest(r *http.Request) (canaries []string) {
	for _, values := range r.Header {
		for _, v := range values {
			if encoded, ok := strings.CutPrefix(v, "Basic "); ok {
				plain, _ := base64.StdEncoding.DecodeString(encoded)
				v = string(plain)
			}
			if c := b.arrive(v); c != "" {
				canaries = append(canaries, c)
			}
		}
	}
	return canaries
}

// echo is what a server says that was sent text.
func (b *book) echo(text string) string {
	if b.echoes {
		return text
	}
	return "something"
}

// look searches a text for canaries, also where it is cut off after the start of one, in any case, in hexadecimal and in
// base64. where says what happened and how it was printed.
func (b *book) look(where, how, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sinks++
	b.bytes += len(text)
	lower := strings.ToLower(text)
	for c, kind := range b.planted {
		if at := strings.Index(lower, strings.ToLower(c[:start])); at >= 0 {
			b.hit(where, how, kind, text, at)
		}
		if at := strings.Index(lower, hex.EncodeToString([]byte(c[:start]))); at >= 0 {
			b.hit(where, how, kind, text, at)
		}
		for shift := range 3 { // whatever stands before it in the same base64
			// Of the first and last quantum only some bits are the canary's.
			code := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + c[:2*start]))[4:16]
			if at := strings.Index(text, code); at >= 0 {
				b.hit(where, how, kind, text, at)
			}
		}
	}
}

// hit is called with mu held.
func (b *book) hit(where, how, kind, text string, at int) {
	b.hits++
	event := strings.TrimPrefix(strings.TrimPrefix(where, kind), ", ")
	l := b.leaks[event]
	if l == nil {
		l = &leak{first: text[max(0, at-60):at]}
		b.leaks[event] = l
	}
	how, _, _ = strings.Cut(how, " %")
	if !slices.Contains(l.hows, how) {
		l.hows = append(l.hows, how)
	}
	if !slices.Contains(l.kinds, kind) {
		l.kinds = append(l.kinds, kind)
	}
}

// note describes up to n of the leaks.
func (b *book) note(t *figures.Table, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, event := range slices.Sorted(maps.Keys(b.leaks)) {
		if i == n {
			t.Note("S3: and %d events more", len(b.leaks)-n)
			return
		}
		l := b.leaks[event]
		t.Note("S3: %s: %d kinds such as %q in %v after %q", event, len(l.kinds), l.kinds[0], l.hows, l.first)
	}
}

// print searches what any way of printing v gives.
func (b *book) print(where string, v any) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		b.look(where, fmt.Sprintf("%T %s", v, verb), fmt.Sprintf(verb, v))
	}
	if text, err := json.Marshal(v); err == nil {
		b.look(where, fmt.Sprintf("%T JSON", v), string(text))
	}
	b.logger().Info("printed", "what", where, "value", v)
}

// error searches an error and everything it wraps.
func (b *book) error(where string, err error) {
	if err == nil {
		return
	}
	b.print(where, err)
	switch e := err.(type) { //nolint:errorlint // every layer is looked at by itself
	case interface{ Unwrap() error }:
		b.error(where, e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			b.error(where, err)
		}
	}
}

// logger writes text and JSON, at every level, where the canaries are looked for.
func (b *book) logger() *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.Level(-100), AddSource: true}
	return slog.New(fanout{slog.NewTextHandler((*logWriter)(b), opts), slog.NewJSONHandler((*logWriter)(b), opts)})
}

type logWriter book

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// lookLog searches the log, and returns how many lines it has.
func (b *book) lookLog() (lines int) {
	b.mu.Lock()
	text := b.log.String()
	b.mu.Unlock()
	for line := range strings.Lines(text) {
		b.look("log", "line", line)
		lines++
	}
	return lines
}

// missing are the kinds that were planted and never arrived.
func (b *book) missing() (kinds []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, kind := range b.planted {
		if !b.arrived[kind] && !strings.HasPrefix(kind, "bad") {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func (b *book) kinds() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(slices.Compact(slices.Sorted(maps.Values(b.planted))))
}

// fanout gives every record to two handlers.
type fanout [2]slog.Handler

func (f fanout) Enabled(context.Context, slog.Level) bool { return true }

func (f fanout) Handle(ctx context.Context, r slog.Record) error {
	f[0].Handle(ctx, r.Clone())
	return f[1].Handle(ctx, r)
}

func (f fanout) WithAttrs(attrs []slog.Attr) slog.Handler {
	return fanout{f[0].WithAttrs(attrs), f[1].WithAttrs(attrs)}
}

func (f fanout) WithGroup(name string) slog.Handler {
	return fanout{f[0].WithGroup(name), f[1].WithGroup(name)}
}
