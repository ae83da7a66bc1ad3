package stdio

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func init() {
	// escapee leaves its parent's session and group with all pipes in hand.
	modes["escapee"] = func([]string) {
		if _, err := syscall.Setsid(); err != nil {
			panic(err)
		}
		signal.Ignore(syscall.SIGTERM)
		say("ready")
		time.Sleep(time.Hour)
	}
	// owner owns a stubborn child and says so; it can be killed to see what becomes of the child.
	modes["owner"] = func([]string) {
		self, _ := os.Executable()
		p, err := Start(Config{Command: self, Env: map[string]string{childMode: "deaf"}})
		if err != nil {
			panic(err)
		}
		say(p.Pid())
		time.Sleep(time.Hour)
	}
}

// stat is a line of /proc: see proc_pid_stat(5).
type stat struct {
	pid, parent, group int
	state              string
}

func processes() []stat {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	var all []stat
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		// The second field is the name of the program in parentheses; it may contain anything.
		before, after, _ := strings.Cut(string(b), " ")
		f := strings.Fields(after[strings.LastIndexByte(after, ')')+1:])
		num := func(s string) int { n, _ := strconv.Atoi(s); return n }
		all = append(all, stat{pid: num(before), state: f[0], parent: num(f[1]), group: num(f[2])})
	}
	return all
}

// members returns the processes of a group, dead ones included.
func members(group int) []stat {
	return slices.DeleteFunc(processes(), func(s stat) bool { return s.group != group })
}

func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// eventually waits for what another process does and nothing tells us of.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not true after 20 s: %s", what)
		}
	}
}

// R10: 0 zombies, 0 orphans, open descriptors as before. Every child has three grandchildren, of which one ignores
// SIGTERM and one holds no pipe.
func TestStartAndCloseLeaveNothingBehind(t *testing.T) {
	rounds := 20
	if os.Getenv("MCPFLEET_LONG") != "" {
		rounds = 200
	}
	cfg := config(t, "forks")
	cfg.Terminate = 20 * time.Millisecond
	run := func(t *testing.T) {
		once := func() {
			p, err := Start(cfg)
			if err != nil {
				t.Fatal(err)
			}
			receive(t, p)
			if n := len(members(p.Pid())); n < 4 {
				t.Fatalf("the group has %d members, want the child and 3 more", n)
			}
			if err := p.Close(); err != nil {
				t.Log(err) // the bound on Close is real time, which a busy machine has little of
			}
			<-p.Done()
			wantGone(t, p)
		}
		once() // what the runtime opens the first time stays open
		before := descriptors(t)
		for range rounds {
			once()
		}
		if after := descriptors(t); after != before {
			t.Errorf("%d descriptors are open, %d before", after, before)
		}
		for _, s := range processes() {
			if s.parent == os.Getpid() {
				t.Errorf("we still have a child: %+v", s)
			}
		}
	}
	t.Run("with an init process", run)
	t.Run("as the init process", func(t *testing.T) {
		adoptOrphans(t)
		run(t)
	})
}

// adoptOrphans makes this program the one that orphans among its descendants are given to, as if it were the init
// process of a container (prctl(2), PR_SET_CHILD_SUBREAPER).
func adoptOrphans(t *testing.T) {
	t.Helper()
	const setChildSubreaper = 36
	set := func(on uintptr) {
		if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, on, 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	set(1)
	t.Cleanup(func() { set(0) })
}

// wantGone checks that nothing is left of a process group. A dead process that another one has yet to reap is that
// one's affair; some container's init never does it.
func wantGone(t *testing.T, p *Process) {
	t.Helper()
	for _, s := range members(p.Pid()) {
		if s.state != "Z" && s.state != "X" || s.parent == os.Getpid() {
			t.Errorf("left of the group: %+v", s)
		}
	}
}

func TestKilledWrapperTakesItsServerAlong(t *testing.T) {
	for _, server := range []string{"echo", "deaf", "stubborn"} {
		t.Run(server, func(t *testing.T) {
			cfg := config(t, "wrap", server)
			cfg.Terminate = 100 * time.Millisecond
			p := start(t, cfg)
			if server != "echo" {
				receive(t, p)
			} else {
				eventually(t, "the wrapper has a child", func() bool { return len(members(p.Pid())) == 2 })
			}
			syscall.Kill(p.Pid(), syscall.SIGKILL)
			_, err := io.ReadAll(p.Stdout())
			var e *ExitError
			if !errors.As(err, &e) || e.Signal != syscall.SIGKILL {
				t.Errorf("Read = %v, want an *ExitError with the signal", err)
			}
			wantGone(t, p)
		})
	}
}

func TestServerThatDiesUnderItsWrapperEndsTheWrapper(t *testing.T) {
	p := start(t, config(t, "wrap", "deaf"))
	server := receive(t, p).Pid
	syscall.Kill(server, syscall.SIGKILL)
	_, err := io.ReadAll(p.Stdout())
	var e *ExitError
	if !errors.As(err, &e) || e.ExitCode != 1 {
		t.Errorf("Read = %v, want the wrapper's *ExitError", err)
	}
}

func TestLauncherThatExitsEndsItsServerAndIsTold(t *testing.T) {
	cfg := config(t, "leave", "stubborn")
	cfg.Terminate = 100 * time.Millisecond
	p := start(t, cfg)
	_, err := io.ReadAll(p.Stdout())
	var e *ExitError
	if !errors.As(err, &e) || e.ExitCode != 0 || !e.LeftBehind {
		t.Fatalf("Read = %v, want an *ExitError that tells of processes left behind", err)
	}
	if !strings.Contains(e.Error(), "must exec the server or wait for it") {
		t.Errorf("text = %q", e)
	}
	wantGone(t, p)
}

func TestReadEndsAlthoughAProcessLeftTheGroupWithThePipes(t *testing.T) {
	cfg := config(t, "wrap", "escapee")
	cfg.Terminate = 50 * time.Millisecond
	before := descriptors(t)
	p := start(t, cfg)
	escapee := receive(t, p).Pid
	t.Cleanup(func() { syscall.Kill(escapee, syscall.SIGKILL) })
	syscall.Kill(p.Pid(), syscall.SIGKILL)
	_, err := io.ReadAll(p.Stdout())
	var e *ExitError
	if !errors.As(err, &e) || !e.LeftBehind {
		t.Errorf("Read = %v, want an *ExitError that tells of processes left behind", err)
	}
	if syscall.Kill(escapee, 0) != nil {
		t.Error("the process that left is dead: the test shows nothing")
	}
	p.Close()
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
}

func TestWriteEndsAlthoughAProcessLeftTheGroupWithThePipes(t *testing.T) {
	cfg := config(t, "wrap", "escapee")
	cfg.Terminate = 50 * time.Millisecond
	p := start(t, cfg)
	escapee := receive(t, p).Pid
	t.Cleanup(func() { syscall.Kill(escapee, syscall.SIGKILL) })
	result := blockWrite(t, p)
	p.InterruptWrite(10 * time.Millisecond)
	var e *ExitError
	if err := <-result; !errors.As(err, &e) || !e.Unresponsive {
		t.Errorf("Write = %v, want an *ExitError of an unresponsive child", err)
	}
}

func TestChildIsTerminatedWhenItsOwnerDies(t *testing.T) {
	owner := again("owner")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Sscanf(string(line[bytes.Index(line, []byte(`"says":`)):]), `"says":%d`, &child); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if !slices.ContainsFunc(processes(), func(s stat) bool { return s.pid == child && s.parent == owner.Process.Pid }) {
		t.Fatalf("process %d is not a child of %d", child, owner.Process.Pid)
	}
	owner.Process.Kill()
	owner.Wait()
	eventually(t, "the child, which reads no input, is gone", func() bool {
		return !slices.ContainsFunc(members(child), func(s stat) bool { return s.state != "Z" && s.state != "X" })
	})
}

// A thread that ends takes the children that it started along, if they asked for the parent-death signal. Go ends
// threads, for instance when a goroutine that is locked to one returns.
func TestChildOutlivesTheGoroutineThatStartedIt(t *testing.T) {
	var p *Process
	var err error
	started := make(chan struct{})
	cfg := config(t, "echo")
	go func() {
		defer close(started)
		runtime.LockOSThread() // without unlocking: the thread ends with the goroutine
		p, err = Start(cfg)
	}()
	<-started
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	const m = `{"jsonrpc":"2.0"}` + "\n"
	for range 20 {
		io.WriteString(p.Stdin(), m)
		if _, err := io.ReadFull(p.Stdout(), make([]byte, len(m))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}
