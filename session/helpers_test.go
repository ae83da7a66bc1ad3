package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func mustPanic(t *testing.T, text string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := fmt.Sprint(recover()); !strings.Contains(got, text) {
			t.Errorf("panic = %s, want one with %q", got, text)
		}
	}()
	f()
}

func textLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type panicHandler struct{ slog.Handler }

func (panicHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panicHandler) Handle(context.Context, slog.Record) error { panic("disk full") }

func panicLogger() *slog.Logger { return slog.New(panicHandler{slog.DiscardHandler}) }

func isExpected(err error) bool {
	var limitErr *LimitError
	return errors.Is(err, errRefused) || errors.As(err, &limitErr)
}
