package mcptest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Environment variables of a child.
const (
	EnvChild    = "MCPTEST_CHILD"    // the mode; set by ChildCommand
	EnvJournal  = "MCPTEST_JOURNAL"  // the file that inc appends its keys to; see JournalKeys
	EnvUser     = "MCPTEST_USER"     // what whoami returns
	EnvLifetime = "MCPTEST_LIFETIME" // how long a child that ignores its end lives on, as a Go duration; the default is 1m
)

// childModes are the modes of [ChildCommand]. Each returns the exit code of the process.
func childModes() map[string]func(args []string) int {
	return map[string]func(args []string) int{
		"honest":     honestChild,
		"old":        oldChild,
		"legacy":     legacyChild,
		"banner":     bannerChild,
		"deaf":       deafChild,
		"stubborn":   stubbornChild,
		"forking":    forkingChild,
		"grandchild": grandchild,
		"exit":       exitChild,
		"hang":       hangChild,
		"crash":      crashChild,
		"notify":     notifyChild,
		"bigline":    bigLineChild,
	}
}

// ChildMain makes the running program a stdio MCP server and exits if a [ChildCommand] started it; otherwise it returns
// at once. Call it first in TestMain, or in main of a program that uses children: before flags are parsed and before
// anything is printed.
func ChildMain() {
	mode, ok := os.LookupEnv(EnvChild)
	if !ok {
		return
	}
	run, ok := childModes()[mode]
	if !ok {
		fmt.Fprintf(os.Stderr, "mcptest: %s=%q is no mode; there are %q\n", EnvChild, mode, slices.Sorted(maps.Keys(childModes())))
		os.Exit(2)
	}
	os.Exit(run(os.Args[1:]))
}

// ChildCommand returns the command, arguments and additional environment that start this program as a stdio MCP server.
// The modes are:
//
//   - "honest" has the tools echo{text}, inc{key, delayMs} and readonly_inc (the same, annotated read-only and
//     idempotent), sleep{ms}, whoami, env (all variables, one per line), args (the arguments, as a JSON array), pid,
//     stderr{text} (writes a line there) and big{bytes} (a text of that size). It exits when its standard input ends.
//   - "old" is honest but speaks no revision newer than 2025-11-25; it answers a server/discover probe with an error.
//   - "legacy" is old and exits with code 1 when it is probed.
//   - "banner" prints a line on standard output first.
//   - "deaf" completes the handshake and never reads again.
//   - "stubborn" is honest, but ignores SIGTERM, SIGINT and the end of its input.
//   - "forking" is honest and has a child of its own that holds its standard streams and outlives it; the tool grandchild
//     returns the process id.
//   - "exit" writes to standard error and exits with code 3 when the first message arrives.
//   - "hang" reads everything and answers nothing.
//   - "crash" executes an inc and dies before it answers; all else is honest.
//   - "notify" sends tools/list_changed args[0] times per second (default 10,000) once initialized.
//   - "bigline" writes a notification of args[0] bytes (default 17 MiB) before it answers the first tools/call.
//
// Children that ignore the end of their input exit after [EnvLifetime]. Other args are only there to be asked for with
// the tool args. Under the race detector env also holds GORACE. It panics if the mode does not exist.
func ChildCommand(mode string, args ...string) (command string, argv []string, env map[string]string) {
	if _, ok := childModes()[mode]; !ok {
		panic(fmt.Sprintf("mcptest: there is no child mode %q", mode))
	}
	command, err := os.Executable()
	if err != nil {
		panic(fmt.Sprintf("mcptest: this program's file: %v", err))
	}
	env = map[string]string{EnvChild: mode}
	if raceEnabled {
		env["GORACE"] = "atexit_sleep_ms=0" // the race detector makes every exit take a second otherwise
	}
	return command, args, env
}

// JournalKeys returns how often each key stands in a journal file; none if there is no file.
func JournalKeys(path string) (map[string]int, error) {
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("mcptest: reading the journal: %w", err)
	}
	keys := make(map[string]int)
	for line := range strings.Lines(string(data)) {
		keys[strings.TrimSuffix(line, "\n")]++
	}
	return keys, nil
}

// serveChild serves until in ends.
func serveChild(server *mcp.Server, in io.ReadCloser, out io.WriteCloser) int {
	if err := server.Run(context.Background(), &mcp.IOTransport{Reader: in, Writer: out}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// linger lives on for the lifetime.
func linger() {
	lifetime, err := time.ParseDuration(os.Getenv(EnvLifetime))
	if err != nil {
		lifetime = time.Minute
	}
	time.Sleep(lifetime)
}

func honestChild([]string) int { return serveChild(childServer(nil), os.Stdin, os.Stdout) }

func oldChild([]string) int {
	return serveChild(childServer(&mcp.ServerOptions{SupportedProtocolVersions: legacyVersions}), os.Stdin, os.Stdout)
}

func legacyChild([]string) int {
	in := newTap(os.Stdin, func(method string) {
		if method == "server/discover" {
			fmt.Fprintln(os.Stderr, "expected initialize first")
			os.Exit(1)
		}
	})
	return serveChild(childServer(&mcp.ServerOptions{SupportedProtocolVersions: legacyVersions}), in, os.Stdout)
}

func bannerChild([]string) int {
	fmt.Fprintln(os.Stdout, "Starting server on stdio")
	return serveChild(childServer(nil), os.Stdin, os.Stdout)
}

func deafChild([]string) int {
	greeted := false
	in := newTap(os.Stdin, nil)
	in.before = func() {
		if greeted {
			linger()
			os.Exit(0)
		}
	}
	in.after = func(method string) {
		greeted = greeted || method == "notifications/initialized" || method == "server/discover"
	}
	return serveChild(childServer(nil), in, os.Stdout)
}

func stubbornChild([]string) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
	serveChild(childServer(nil), os.Stdin, os.Stdout)
	linger()
	return 0
}

func forkingChild([]string) int {
	command, _, env := ChildCommand("grandchild")
	cmd := exec.Command(command)
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server := childServer(nil)
	addTextTool(server, "grandchild", nil, func(struct{}) (string, error) { return strconv.Itoa(cmd.Process.Pid), nil })
	return serveChild(server, os.Stdin, os.Stdout)
}

func grandchild([]string) int {
	linger()
	return 0
}

func exitChild([]string) int {
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // whatever it says, and also when it says nothing
	fmt.Fprintln(os.Stderr, "fatal: API_KEY is not set")
	return 3
}

func hangChild([]string) int {
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func crashChild([]string) int {
	server := childServer(nil)
	addTextTool(server, "inc", nil, func(in incArgs) (string, error) {
		if err := journal(in); err != nil {
			return "", err
		}
		os.Exit(1)
		return "", nil
	})
	return serveChild(server, os.Stdin, os.Stdout)
}

func notifyChild(args []string) int {
	perSecond := childNumber(args, 10_000)
	out := &lockedWriter{w: os.Stdout}
	var once sync.Once
	in := newTap(os.Stdin, func(method string) {
		if method != "notifications/initialized" && method != "server/discover" {
			return
		}
		once.Do(func() {
			go func() {
				for range pace(context.Background(), perSecond) {
					io.WriteString(out, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`+"\n")
				}
			}()
		})
	})
	return serveChild(childServer(nil), in, out)
}

func bigLineChild(args []string) int {
	size := childNumber(args, 17<<20)
	out := &lockedWriter{w: os.Stdout}
	var once sync.Once
	in := newTap(os.Stdin, func(method string) {
		if method == "tools/call" {
			once.Do(func() {
				const head, tail = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"`, `"}}` + "\n"
				io.WriteString(out, head+strings.Repeat("x", max(0, size-len(head)-len(tail)))+tail)
			})
		}
	})
	return serveChild(childServer(nil), in, out)
}

func childNumber(args []string, otherwise int) int {
	if len(args) == 0 {
		return otherwise
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n <= 0 {
		fmt.Fprintf(os.Stderr, "mcptest: %q is no positive number\n", args[0])
		os.Exit(2)
	}
	return n
}

// tap reads lines of JSON-RPC and looks at their methods in passing.
type tap struct {
	r      *bufio.Reader
	closer io.Closer
	rest   []byte
	before func()              // before a line is read
	after  func(method string) // after it was read and before it is passed on
}

func newTap(r io.ReadCloser, after func(method string)) *tap {
	return &tap{r: bufio.NewReader(r), closer: r, before: func() {}, after: after}
}

func (t *tap) Read(p []byte) (int, error) {
	if len(t.rest) == 0 {
		t.before()
		line, err := t.r.ReadBytes('\n')
		if len(line) == 0 {
			return 0, err
		}
		var msg struct{ Method string }
		_ = json.Unmarshal(line, &msg) // what is no JSON has no method; the server says so
		t.after(msg.Method)
		t.rest = line
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

func (t *tap) Close() error { return t.closer.Close() }

// lockedWriter keeps lines of several writers apart.
type lockedWriter struct {
	mu sync.Mutex
	w  io.WriteCloser
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (l *lockedWriter) Close() error { return l.w.Close() }
