package stdio

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"time"
	"unicode/utf8"
)

const (
	logLine = 1 << 10 // bytes of a line that are logged
	logRate = 50      // lines a second
)

// stderr collects the child's standard error.
type stderr struct {
	f    *os.File
	last *ring
	log  *lineLogger
	done chan struct{} // closed when nobody holds the other end, or after finish
}

func newStderr(f *os.File, tail int, command string, log *slog.Logger) *stderr {
	return &stderr{
		f: f, last: newRing(tail), done: make(chan struct{}),
		log: &lineLogger{log: log, command: command},
	}
}

// pump reads until the end, so that the child never blocks on its standard error.
func (s *stderr) pump() {
	defer close(s.done)
	defer s.f.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := s.f.Read(buf)
		s.last.Write(buf[:n])
		s.log.write(buf[:n])
		if err != nil {
			s.log.flush()
			return
		}
	}
}

// finish gives pump up to d to come to the end by itself, and then ends it.
func (s *stderr) finish(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.done:
		return
	case <-t.C:
	}
	if s.f.SetReadDeadline(time.Now()) == nil {
		<-s.done
	}
}

func (s *stderr) tail() string {
	b := s.last.Bytes()
	// The ring may have cut a character in two.
	for i := 0; i < utf8.UTFMax-1 && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:]
	}
	return clean(b)
}

// lineLogger logs lines, not too many and not too long. It is used by one goroutine.
type lineLogger struct {
	log     *slog.Logger
	command string

	line    []byte // the beginning of the current line
	window  time.Time
	logged  int // in the second that began at window
	skipped int
}

func (l *lineLogger) write(b []byte) {
	if !l.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	for len(b) > 0 {
		piece, ended := b, false
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			piece, ended = b[:i], true
			b = b[i+1:]
		} else {
			b = nil
		}
		l.line = append(l.line, piece[:min(len(piece), logLine-len(l.line))]...)
		if ended {
			l.flush()
		}
	}
}

// flush logs the current line.
func (l *lineLogger) flush() {
	line := clean(l.line)
	l.line = l.line[:0]
	if line == "" {
		return
	}
	if now := time.Now(); now.Sub(l.window) >= time.Second {
		l.window, l.logged = now, 0
	}
	if l.logged++; l.logged > logRate {
		l.skipped++
		return
	}
	attrs := []slog.Attr{slog.String("command", l.command), slog.String("line", line)}
	if l.skipped > 0 {
		attrs = append(attrs, slog.Int("skipped", l.skipped))
		l.skipped = 0
	}
	l.log.LogAttrs(context.Background(), slog.LevelDebug, "stdio: standard error of the server", attrs...)
}
