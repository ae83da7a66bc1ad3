package mcpgroup

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"

	"github.com/mcpfleet/mcpfleet/internal/mcphttp"
)

// quietLogger returns l so that neither its absence nor a panic in its handler concerns anybody. Much of what is logged
// is logged on goroutines of the library, where a panic would end the process.
func quietLogger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(sturdyHandler{l.Handler(), new(sync.Once)})
}

type sturdyHandler struct {
	slog.Handler
	report *sync.Once // of a broken handler, to standard error: nothing else can tell of it
}

func (h sturdyHandler) Handle(ctx context.Context, r slog.Record) (err error) {
	returned := false
	defer func() {
		v := recover()
		if returned {
			return
		}
		how := "called runtime.Goexit"
		if v != nil {
			how = fmt.Sprint("panicked: ", v)
		}
		h.report.Do(func() { fmt.Fprintln(os.Stderr, "mcpgroup: the slog.Handler of Options.Logger", how) })
	}()
	err = h.Handler.Handle(ctx, r)
	returned = true
	return err
}

func (h sturdyHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sturdyHandler{h.Handler.WithAttrs(attrs), h.report}
}

func (h sturdyHandler) WithGroup(name string) slog.Handler {
	return sturdyHandler{h.Handler.WithGroup(name), h.report}
}

// redact returns err's text without URL queries, protocol session ids and header values.
func redact(err error) string {
	if err == nil {
		return ""
	}
	return mcphttp.Redact(err)
}

// redactedError is an error for others to print.
type redactedError struct{ err error }

func (e *redactedError) Error() string { return redact(e.err) }
func (e *redactedError) Unwrap() error { return e.err }

// version is the module's version as the build recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/mcpfleet/mcpfleet" {
				return m.Version
			}
		}
	}
	return "devel"
}
