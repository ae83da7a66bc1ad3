package stdio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMessagesGoThroughAChild(t *testing.T) {
	p := start(t, config(t, "echo"))
	const m = `{"jsonrpc":"2.0","id":1}` + "\n"
	if _, err := io.WriteString(p.Stdin(), m); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := p.Stdout().Read(b)
	if string(b[:n]) != m || err != nil {
		t.Errorf("Read = %q, %v, want what was written", b[:n], err)
	}
	if !p.Alive() || p.Err() != nil {
		t.Errorf("Alive = %v, Err = %v while the child runs", p.Alive(), p.Err())
	}
	if p.BytesWritten() != int64(len(m)) {
		t.Errorf("BytesWritten = %d, want %d", p.BytesWritten(), len(m))
	}
	p.Close()
	if p.Alive() || p.Err() != nil {
		t.Errorf("Alive = %v, Err = %v after Close, want false and nil", p.Alive(), p.Err())
	}
	if n, err := p.Stdout().Read(b); n != 0 || err == nil {
		t.Errorf("Read after Close = %d, %v", n, err)
	}
	if _, err := io.WriteString(p.Stdin(), m); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close = %v, want os.ErrClosed", err)
	}
	if p.BytesWritten() != int64(len(m)) {
		t.Errorf("BytesWritten = %d after a write that failed, want %d", p.BytesWritten(), len(m))
	}
}

type report struct {
	Args, Env []string
	Dir       string
}

func reportOf(t *testing.T, cfg Config) report {
	t.Helper()
	var r report
	if err := json.Unmarshal(receive(t, start(t, cfg)).Says, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// S9: 20 planted secrets, of which the child sees none.
func TestChildInheritsTheAllowListOnly(t *testing.T) {
	for i := range 20 {
		t.Setenv(fmt.Sprintf("%s_%d", []string{"AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "OPENAI_API_KEY", "PATH_TOKEN"}[i%4], i), "secret")
	}
	t.Setenv("HOME", "/home/inherited")
	t.Setenv("LOGNAME", "() { :; }; echo function")
	t.Setenv("TERM", "overridden")
	cfg := config(t, "report")
	cfg.Env["TERM"], cfg.Env["CONFIGURED"] = "configured", "a=b c\n"
	got := reportOf(t, cfg).Env

	want := []string{"HOME=/home/inherited", "TERM=configured", "CONFIGURED=a=b c\n", childMode + "=report", "GORACE=atexit_sleep_ms=0"}
	for _, name := range []string{"PATH", "SHELL", "USER"} {
		if v, ok := os.LookupEnv(name); ok {
			want = append(want, name+"="+v)
		}
	}
	if runtime.GOOS == "windows" {
		t.Skip("the list is another one")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the child's environment is\n%q, want\n%q", got, want)
	}
}

// S9: 20 arguments that a shell would change.
func TestArgumentsReachTheChildVerbatim(t *testing.T) {
	args := []string{
		"$HOME", "${PATH}", "`id`", "$(id)", "; rm -rf x", "&& true", "|| true", "| cat", "> /dev/null", "< /dev/null",
		"*", "?", "~", "a b", "'quoted'", `"quoted"`, `back\slash`, "new\nline", "", "!history #comment %PATH%",
	}
	got := reportOf(t, config(t, "report", args...))
	if !slices.Equal(got.Args, args) {
		t.Errorf("the child's arguments are\n%q, want\n%q", got.Args, args)
	}
}

func TestChildRunsInDir(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, "report")
	cfg.Dir = dir
	if got := reportOf(t, cfg).Dir; got != dir {
		t.Errorf("working directory = %q, want %q", got, dir)
	}
}

func TestStartErrorsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode fs.FileMode) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, tc := range []struct {
		name string
		cfg  Config
		is   error
		text string
	}{
		{"empty", Config{}, nil, "command is empty"},
		{"unknown name", Config{Command: "no-such-program-here"}, exec.ErrNotFound, "install it"},
		{"command line", Config{Command: "npx -y server"}, exec.ErrNotFound, "argument list"},
		{"unknown file", Config{Command: filepath.Join(dir, "none")}, fs.ErrNotExist, "no such file"},
		{"name not in the child's PATH", Config{Command: "sh", Env: map[string]string{"PATH": dir}}, exec.ErrNotFound, "in PATH"},
		{"unknown directory", Config{Command: os.Args[0], Dir: filepath.Join(dir, "none")}, fs.ErrNotExist, "working directory"},
		{"missing interpreter", Config{Command: write("script", "#!/no/such/interpreter\n", 0o755)}, fs.ErrNotExist, "interpreter"},
		{"not executable", Config{Command: write("data", "x", 0o644)}, fs.ErrPermission, "chmod"},
		{"no program", Config{Command: write("text", "just text", 0o755)}, errNotProgram, "#!/bin/sh"},
		{"variable's name", Config{Command: os.Args[0], Env: map[string]string{"A=B": "hush"}}, errBadEnv, `"A=B"`},
		{"variable's value", Config{Command: os.Args[0], Env: map[string]string{"A": "hush\x00"}}, errBadEnv, `"A"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Start(tc.cfg)
			var e *StartError
			if !errors.As(err, &e) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Fatalf("Start = %v, want a *StartError that wraps %v", err, tc.is)
			}
			if text := err.Error(); !strings.HasPrefix(text, "stdio: ") || !strings.Contains(text, tc.text) || strings.Contains(text, "hush") {
				t.Errorf("text = %q, want it to contain %q", text, tc.text)
			}
		})
	}
}

func TestCommandIsFoundInTheChildsPath(t *testing.T) {
	dir := t.TempDir()
	cfg := config(t, "report")
	if err := os.Symlink(cfg.Command, filepath.Join(dir, "just-here")); err != nil {
		t.Skip(err)
	}
	cfg.Command = "just-here"
	cfg.Env["PATH"] = "relative" + string(filepath.ListSeparator) + dir
	if r := reportOf(t, cfg); !slices.Contains(r.Env, "PATH="+cfg.Env["PATH"]) {
		t.Errorf("the child's environment is %q", r.Env)
	}
}

func TestExitErrorHasStatusAndStandardError(t *testing.T) {
	p := start(t, config(t, "exit", "3", "\x1b[31mno licence\x1b[0m\nsee \a docs\n"))
	_, err := io.ReadAll(p.Stdout())
	var e *ExitError
	if !errors.As(err, &e) || !errors.Is(err, io.EOF) {
		t.Fatalf("Read = %v, want an *ExitError that is io.EOF", err)
	}
	const stderr = `no licence | see \x07 docs`
	if e.ExitCode != 3 || e.Signal != nil || e.Stderr != stderr || e.LeftBehind || e.Unresponsive {
		t.Errorf("ExitError = %+v", *e)
	}
	if text := e.Error(); !strings.Contains(text, "status 3") || !strings.HasSuffix(text, stderr) {
		t.Errorf("text = %q", text)
	}
	if p.StderrTail() != stderr || p.Alive() || p.Err() != err {
		t.Errorf("StderrTail = %q, Alive = %v, Err = %v", p.StderrTail(), p.Alive(), p.Err())
	}
	if _, werr := io.WriteString(p.Stdin(), "x"); !errors.As(werr, &e) {
		t.Errorf("Write to a dead child = %v, want an *ExitError", werr)
	}
	if p.BytesWritten() != 0 {
		t.Errorf("BytesWritten = %d, want 0", p.BytesWritten())
	}
	p.Close()
	if p.Err() != err {
		t.Errorf("Err after Close = %v, want what it was", p.Err())
	}
}

func TestStandardErrorTailIsTheEnd(t *testing.T) {
	cfg := config(t, "exit", "0", strings.Repeat("ä", 5000)+"the end")
	cfg.StderrTail = 100
	p := start(t, cfg)
	<-p.Done()
	tail := p.StderrTail()
	if len(tail) < 99 || len(tail) > 100 || !strings.HasSuffix(tail, "äthe end") || strings.Contains(tail, `\x`) {
		t.Errorf("StderrTail = %d bytes, %q", len(tail), tail)
	}
}

func TestChildThatIsAskedToEndLeavesNoError(t *testing.T) {
	p := start(t, config(t, "echo"))
	p.Stdin().Close()
	<-p.Done()
	if p.Err() != nil {
		t.Errorf("Err = %v after the input was closed", p.Err())
	}
	if _, err := io.ReadAll(p.Stdout()); err != nil { // nil stands for io.EOF itself
		t.Errorf("Read = %v, want io.EOF", err)
	}
}

func TestOutputIsReadToItsEndAfterTheChildDied(t *testing.T) {
	line := `{"jsonrpc":"2.0","id":` + strings.Repeat("1", 40<<10) + "}"
	p := start(t, config(t, "wrap", "print", line))
	p.Stdin().Close()
	<-p.Done()
	time.Sleep(2 * drainWait) // past the deadline that ends a blocked read
	if got, err := io.ReadAll(p.Stdout()); string(got) != line+"\n" || err != nil {
		t.Errorf("read %d bytes, %v, want all %d", len(got), err, len(line)+1)
	}
}

func TestBannerIsDroppedAndReported(t *testing.T) {
	var log bytes.Buffer
	cfg := config(t, "print", "Starting server...", "", "[INFO] ready", `{"level":"info"}`, `{"jsonrpc":"2.0","says":"hello"}`)
	cfg.Logger = debugLogger(&log)
	p := start(t, cfg)
	if m := receive(t, p); string(m.Says) != `"hello"` {
		t.Errorf("the first message is %s", m.Says)
	}
	want := []string{"Starting server...", "[INFO] ready", `{"level":"info"}`}
	if got := p.Junk(); !slices.Equal(got, want) || p.JunkLines() != 3 {
		t.Errorf("Junk = %q of %d, want %q", got, p.JunkLines(), want)
	}
	p.Close()
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want 1: %s", n, log.String())
	}
}

func TestLongLineEndsTheStream(t *testing.T) {
	cfg := config(t, "longline", "1001")
	cfg.MaxLine = 1000
	p := start(t, cfg)
	_, err := io.ReadAll(p.Stdout())
	var e *LineTooLongError
	if !errors.As(err, &e) || e.Max != 1000 {
		t.Errorf("Read = %v, want a *LineTooLongError", err)
	}
}

func TestReadEndsWhenTheChildClosesItsOutput(t *testing.T) {
	p := start(t, config(t, "mute"))
	if _, err := p.Stdout().Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read = %v, want io.EOF", err)
	}
	if !p.Alive() {
		t.Error("the child is dead")
	}
}

// blockWrite fills the pipe to a child that does not read and returns once a write is under way.
func blockWrite(t *testing.T, p *Process) (result chan error) {
	t.Helper()
	result = make(chan error, 1)
	go func() {
		_, err := p.Stdin().Write(make([]byte, 1<<20))
		result <- err
	}()
	for {
		if _, busy := p.stdin.current(); busy {
			return result
		}
		runtime.Gosched()
	}
}

func TestInterruptWriteKillsAChildThatDoesNotRead(t *testing.T) {
	p := start(t, config(t, "wrap", "stubborn"))
	receive(t, p)
	result := blockWrite(t, p)
	if p.BytesWritten() == 0 {
		t.Error("BytesWritten = 0 while a write is under way")
	}
	p.InterruptWrite(10 * time.Millisecond)
	err := <-result
	var e *ExitError
	if !errors.As(err, &e) || !e.Unresponsive {
		t.Fatalf("Write = %v, want an *ExitError of an unresponsive child", err)
	}
	if !strings.Contains(err.Error(), "stopped reading") {
		t.Errorf("text = %q", err)
	}
}

func TestInterruptWriteSparesAChildThatReads(t *testing.T) {
	p := start(t, config(t, "echo"))
	p.InterruptWrite(time.Hour) // returns at once: nothing is blocked

	// A write that is slow but ends within the grace is not the write that is under way after it.
	go io.Copy(io.Discard, p.Stdout())
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				p.Stdin().Write(bytes.Repeat([]byte("x"), 10<<10))
			}
		}
	})
	for range 5 {
		p.InterruptWrite(200 * time.Millisecond)
	}
	close(stop)
	writer.Wait()
	if !p.Alive() {
		t.Errorf("the child was killed: %v", p.Err())
	}
}

func TestCloseEndsABlockedWrite(t *testing.T) {
	cfg := config(t, "stubborn")
	cfg.Terminate = 50 * time.Millisecond
	p := start(t, cfg)
	receive(t, p)
	result := blockWrite(t, p)
	p.Close()
	if err := <-result; err == nil {
		t.Error("Write to a closed child succeeded")
	}
}

// R9, with one child that ignores SIGTERM.
func TestCloseIsIdempotentAndSafeForManyCallers(t *testing.T) {
	cfg := config(t, "stubborn")
	cfg.Terminate = 50 * time.Millisecond
	p := start(t, cfg)
	receive(t, p)
	var closers sync.WaitGroup
	for i := range 64 {
		closers.Go(func() {
			if i%8 == 0 {
				p.Kill()
			}
			err := p.Close()
			select {
			case <-p.Done():
			default:
				if err == nil {
					t.Error("Close returned nil before the child was reaped")
				}
			}
		})
	}
	closers.Wait()
}

func TestKillIsReported(t *testing.T) {
	p := start(t, config(t, "echo"))
	p.Kill()
	<-p.Done()
	var e *ExitError
	if !errors.As(p.Err(), &e) || runtime.GOOS != "windows" && (e.Signal != os.Kill || e.ExitCode != -1) {
		t.Errorf("Err = %v, want an *ExitError with the signal", p.Err())
	}
}

func TestStandardErrorIsLoggedAtDebug(t *testing.T) {
	var log bytes.Buffer
	cfg := config(t, "exit", "0", "one\ntwo")
	cfg.Logger = debugLogger(&log)
	p := start(t, cfg)
	<-p.Done()
	for _, want := range []string{"line=one", "line=two"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log.String())
		}
	}
}
