package stdio

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func debugLogger(w *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestLineLoggerLimitsLinesPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &lineLogger{log: debugLogger(&out), command: "server"}
		for range 3 * logRate {
			l.write([]byte("hello\n"))
		}
		if n := strings.Count(out.String(), "line=hello"); n != logRate {
			t.Errorf("%d lines were logged within a second, want %d", n, logRate)
		}
		time.Sleep(time.Second)
		l.write([]byte("later\n"))
		if want := "line=later skipped=100"; !strings.Contains(out.String(), want) {
			t.Errorf("the next second's log lacks %q: %s", want, out.String()[len(out.String())-200:])
		}
	})
}

func TestLineLoggerCutsLongLinesAndCleansThem(t *testing.T) {
	var out bytes.Buffer
	l := &lineLogger{log: debugLogger(&out)}
	for range 10 {
		l.write([]byte("\x1b[1m" + strings.Repeat("z", 300)))
	}
	if cap(l.line) > 2*logLine {
		t.Errorf("%d bytes of a line are held", cap(l.line))
	}
	l.write([]byte("\n\nshort"))
	l.flush()
	if n := strings.Count(out.String(), "z"); n == 0 || n > logLine {
		t.Errorf("%d bytes of a line were logged, want at most %d", n, logLine)
	}
	if strings.Contains(out.String(), "\x1b") || !strings.Contains(out.String(), "line=short") {
		t.Errorf("log = %q", out.String())
	}
}
