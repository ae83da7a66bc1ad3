package stdio

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childMode makes this test binary a child instead. Its value is one of the modes.
const childMode = "STDIO_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		run, ok := modes[mode]
		if !ok {
			panic("no such mode: " + mode)
		}
		run(os.Args[1:])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// modes are the children. What they print is a JSON-RPC message, so that it passes the filter.
var modes = map[string]func(args []string){
	"echo": func([]string) { io.Copy(os.Stdout, os.Stdin) },

	"report": func(args []string) { say(map[string]any{"args": args, "env": os.Environ(), "dir": wd()}) },

	// exit writes its second argument to standard error and exits with its first.
	"exit": func(args []string) {
		fmt.Fprint(os.Stderr, args[1])
		code, _ := strconv.Atoi(args[0])
		os.Exit(code)
	},

	// deaf lives until the end of time and reads nothing, but can be terminated.
	"deaf": func([]string) {
		say("ready")
		time.Sleep(time.Hour)
	},

	// stubborn can only be killed.
	"stubborn": func([]string) {
		signal.Ignore(syscall.SIGTERM)
		say("ready")
		time.Sleep(time.Hour)
	},

	"print": func(args []string) {
		for _, line := range args {
			fmt.Println(line)
		}
		io.Copy(io.Discard, os.Stdin)
	},

	// longline sends a message of as many bytes as its argument says.
	"longline": func(args []string) {
		n, _ := strconv.Atoi(args[0])
		fmt.Println(`{"jsonrpc":"` + strings.Repeat("x", n-len(`{"jsonrpc":""}`)) + `"}`)
		io.Copy(io.Discard, os.Stdin)
	},

	"mute": func([]string) { // closes its output and lives on
		os.Stdout.Close()
		io.Copy(io.Discard, os.Stdin)
	},

	// wrap runs a child in the mode of its first argument with all its pipes, like sh or npx, and waits for it.
	"wrap": func(args []string) {
		child := again(args[0], args[1:]...)
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := child.Run(); err != nil {
			os.Exit(1)
		}
	},

	// leave starts a child in the mode of its first argument with all its pipes and exits once that is ready.
	"leave": func(args []string) {
		child := again(args[0], args[1:]...)
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		time.Sleep(50 * time.Millisecond)
	},

	// forks is a server with three grandchildren: an obedient, a stubborn, and one that holds no pipe.
	"forks": func([]string) {
		for _, mode := range []string{"echo", "stubborn", "deaf"} {
			child := again(mode)
			if mode != "deaf" {
				child.Stdin, child.Stderr = os.Stdin, os.Stderr
			}
			out, _ := child.StdoutPipe()
			if err := child.Start(); err != nil {
				panic(err)
			}
			if mode != "echo" {
				bufio.NewReader(out).ReadString('\n') // until it is ready
			}
		}
		say("ready")
		io.Copy(io.Discard, os.Stdin)
	},
}

func wd() string {
	dir, _ := os.Getwd()
	return dir
}

// again is this binary as a child in the given mode.
func again(mode string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childMode+"="+mode)
	return cmd
}

func say(v any) {
	b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "says": v, "pid": os.Getpid()})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(b))
}

type message struct {
	Says json.RawMessage
	Pid  int
}

// config starts this binary in the given mode.
func config(t testing.TB, mode string, args ...string) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Command: self, Args: args,
		// Under the race detector a program sleeps for a second before it exits.
		Env:       map[string]string{childMode: mode, "GORACE": "atexit_sleep_ms=0"},
		Terminate: 5 * time.Second, // the tests that wait for a step to pass set their own
	}
}

func start(t testing.TB, cfg Config) *Process {
	t.Helper()
	p, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Log(err) // the bound on Close is real time, which a busy machine has little of
		}
		<-p.Done()
	})
	return p
}

// receive reads a message and leaves nothing unread of it.
func receive(t testing.TB, p *Process) message {
	t.Helper()
	line, err := bufio.NewReaderSize(p.Stdout(), 16).ReadString('\n')
	if err != nil {
		t.Fatalf("reading a message: %v", err)
	}
	var m message
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("message %q: %v", line, err)
	}
	return m
}
