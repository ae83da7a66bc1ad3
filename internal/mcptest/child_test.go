//go:build unix

package mcptest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

// child returns the command of a child, in a process group of its own that is killed when the test ends.
func child(t *testing.T, mode string, env map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	command, argv, childEnv := mcptest.ChildCommand(mode, args...)
	cmd := exec.Command(command, argv...)
	cmd.Env = os.Environ()
	for _, vars := range []map[string]string{childEnv, env} {
		for name, value := range vars {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	t.Cleanup(func() {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be gone already
		}
	})
	return cmd
}

// connectChild connects the SDK's client to a child.
func connectChild(t *testing.T, cmd *exec.Cmd, version string, opts *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	return dialTransport(t, &mcp.CommandTransport{Command: cmd, TerminateDuration: 2 * time.Second}, version, opts)
}

// pipes starts a child with its standard input and output at hand.
func pipes(t *testing.T, cmd *exec.Cmd) (io.WriteCloser, *bufio.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, bufio.NewReader(out)
}

const initializeLine = initializeBody + "\n"

const initializedLine = `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"

func TestTheHonestChildDoesWhatItsToolsSay(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	cmd := child(t, "honest", map[string]string{mcptest.EnvJournal: journal, mcptest.EnvUser: "alice"}, "a b", "$HOME", "*")
	session := connectChild(t, cmd, "", nil)
	if got := session.InitializeResult().ProtocolVersion; got != mcptest.Era2026 {
		t.Errorf("negotiated %s", got)
	}
	for tool, test := range map[string]struct {
		args map[string]any
		want string
	}{
		"echo":         {map[string]any{"text": "hi"}, "hi"},
		"whoami":       {nil, "alice"},
		"pid":          {nil, strconv.Itoa(cmd.Process.Pid)},
		"args":         {nil, `["a b","$HOME","*"]`},
		"inc":          {map[string]any{"key": "a"}, "incremented a"},
		"readonly_inc": {map[string]any{"key": "b", "delayMs": 1}, "incremented b"},
		"sleep":        {map[string]any{"ms": 1}, "slept 1 ms"},
		"big":          {map[string]any{"bytes": 5}, "xxxxx"},
	} {
		if got := callText(t, session, tool, test.args); got != test.want {
			t.Errorf("%s = %q, want %q", tool, got, test.want)
		}
	}
	if got := callText(t, session, "env", nil); !slices.Contains(strings.Split(got, "\n"), mcptest.EnvUser+"=alice") {
		t.Errorf("env lacks %s: %.100s...", mcptest.EnvUser, got)
	}
	callText(t, session, "inc", map[string]any{"key": "a"})
	if keys, err := mcptest.JournalKeys(journal); err != nil || keys["a"] != 2 || keys["b"] != 1 || len(keys) != 2 {
		t.Errorf("JournalKeys = %v, %v", keys, err)
	}
	for tool, err := range session.Tools(bounded(t), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if annotated := tool.Annotations != nil && tool.Annotations.ReadOnlyHint && tool.Annotations.IdempotentHint; annotated != (tool.Name == "readonly_inc") {
			t.Errorf("%s: annotations %+v", tool.Name, tool.Annotations)
		}
	}
	if err := session.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if got := mcptest.ProcessGroup(cmd.Process.Pid); len(got) != 0 {
		t.Errorf("left over: %+v", got)
	}
}

func TestAJournalThatIsNotThereIsEmpty(t *testing.T) {
	if keys, err := mcptest.JournalKeys(filepath.Join(t.TempDir(), "none")); err != nil || len(keys) != 0 {
		t.Errorf("JournalKeys = %v, %v", keys, err)
	}
	if _, err := mcptest.JournalKeys(t.TempDir()); err == nil || !strings.HasPrefix(err.Error(), "mcptest: ") {
		t.Errorf("a directory gave %v", err)
	}
}

func TestTheStderrToolWritesThere(t *testing.T) {
	cmd := child(t, "honest", nil)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	session := connectChild(t, cmd, "", nil)
	callText(t, session, "stderr", map[string]any{"text": "a complaint"})
	if err := session.Close(); err != nil { // which waits for the copying of stderr
		t.Fatal(err)
	}
	if !strings.Contains(stderr.String(), "a complaint\n") {
		t.Errorf("stderr = %q", &stderr)
	}
}

func TestTheOldChildNegotiatesAndTheLegacyOneDiesOfTheProbe(t *testing.T) {
	if got := connectChild(t, child(t, "old", nil), "", nil).InitializeResult().ProtocolVersion; got != mcptest.Era2025 {
		t.Errorf("old negotiated %s", got)
	}
	session := connectChild(t, child(t, "legacy", nil), mcptest.Era2025, nil)
	if got := callText(t, session, "echo", map[string]any{"text": "hi"}); got != "hi" {
		t.Errorf("legacy without a probe: %q", got)
	}
	cmd := child(t, "legacy", nil)
	client := mcp.NewClient(&mcp.Implementation{Name: "t", Version: "1"}, nil)
	if _, err := client.Connect(bounded(t), &mcp.CommandTransport{Command: cmd}, nil); err == nil {
		t.Error("legacy with a probe: connected")
	}
	if got := cmd.ProcessState.ExitCode(); got != 1 {
		t.Errorf("legacy with a probe: exit code %d, want 1", got)
	}
}

func TestTheBannerComesBeforeTheProtocol(t *testing.T) {
	in, out := pipes(t, child(t, "banner", nil))
	defer in.Close()
	io.WriteString(in, initializeLine)
	banner, _ := out.ReadString('\n')
	answer, _ := out.ReadString('\n')
	if json.Valid([]byte(banner)) || !json.Valid([]byte(answer)) {
		t.Errorf("the first lines are %q and %.100q", banner, answer)
	}
}

func TestTheDeafChildGreetsAndThenReadsNothing(t *testing.T) {
	for _, version := range []string{mcptest.Era2025, mcptest.Era2026} {
		cmd := child(t, "deaf", nil)
		session := connectChild(t, cmd, version, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "echo"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: a call gave %v, want its deadline", version, err)
		}
		_ = cmd.Process.Kill()
	}

	// More than a pipe holds can never be written.
	cmd := child(t, "deaf", nil)
	in, out := pipes(t, cmd)
	io.WriteString(in, initializeLine)
	if line, err := out.ReadString('\n'); err != nil {
		t.Fatalf("no greeting: %q, %v", line, err)
	}
	io.WriteString(in, initializedLine)
	wrote := make(chan error, 1)
	go func() {
		_, err := in.Write(make([]byte, 8<<20))
		wrote <- err
	}()
	select {
	case err := <-wrote:
		t.Errorf("writing 8 MiB ended with %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	_ = cmd.Process.Kill()
	if err := <-wrote; err == nil {
		t.Error("the write succeeded after all")
	}
	_ = cmd.Wait()
}

func TestTheStubbornChildHasToBeKilled(t *testing.T) {
	cmd := child(t, "stubborn", nil)
	in, out := pipes(t, cmd)
	io.WriteString(in, initializeLine)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	in.Close()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Process.Signal(syscall.SIGINT)
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	select {
	case err := <-exited:
		t.Fatalf("it gave in: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	_ = cmd.Process.Kill()
	<-exited
}

func TestChildrenThatIgnoreTheirEndDoNotLiveForEver(t *testing.T) {
	for _, mode := range []string{"stubborn", "deaf", "grandchild"} {
		cmd := child(t, mode, map[string]string{mcptest.EnvLifetime: "10ms"})
		in, out := pipes(t, cmd)
		io.WriteString(in, initializeLine+initializedLine)
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

func TestTheForkingChildLeavesAGrandchild(t *testing.T) {
	cmd := child(t, "forking", nil)
	session := connectChild(t, cmd, "", nil)
	grandchild, err := strconv.Atoi(callText(t, session, "grandchild", nil))
	if err != nil {
		t.Fatal(err)
	}
	pids := func() (pids []int) {
		for _, p := range mcptest.ProcessGroup(cmd.Process.Pid) {
			if p.State != "Z" {
				pids = append(pids, p.PID)
			}
		}
		slices.Sort(pids)
		return pids
	}
	want := []int{cmd.Process.Pid, grandchild}
	slices.Sort(want)
	if got := pids(); !slices.Equal(got, want) {
		t.Errorf("the group has %v, want %v", got, want)
	}
	session.Close()
	if got := pids(); !slices.Equal(got, []int{grandchild}) {
		t.Errorf("after Close the group has %v, want %v", got, grandchild)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	eventually(t, "an empty group", func() bool { return len(pids()) == 0 })
}

func TestTheExitingChildSaysWhy(t *testing.T) {
	cmd := child(t, "exit", nil)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Stdin = strings.NewReader(initializeLine)
	stdout, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("it ended with %v, want code 3", err)
	}
	if len(stdout) != 0 || !strings.Contains(stderr.String(), "API_KEY") {
		t.Errorf("stdout %q, stderr %q", stdout, &stderr)
	}
}

func TestTheHangingChildAnswersNothing(t *testing.T) {
	cmd := child(t, "hang", nil)
	in, out := pipes(t, cmd)
	io.WriteString(in, initializeLine)
	in.Close()
	if answer, err := io.ReadAll(out); err != nil || len(answer) != 0 {
		t.Errorf("it answered %q, %v", answer, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("when its input ended it ended with %v", err)
	}
}

func TestTheCrashingChildExecutesFirst(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	session := connectChild(t, child(t, "crash", map[string]string{mcptest.EnvJournal: journal}), "", nil)
	if got := callText(t, session, "echo", map[string]any{"text": "fine"}); got != "fine" {
		t.Errorf("echo = %q", got)
	}
	if _, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: "inc", Arguments: map[string]any{"key": "k"}}); !errors.Is(err, io.EOF) {
		t.Errorf("inc gave %v, want io.EOF", err)
	}
	if keys, err := mcptest.JournalKeys(journal); err != nil || keys["k"] != 1 {
		t.Errorf("JournalKeys = %v, %v", keys, err)
	}
}

func TestTheNotifyingChildFloods(t *testing.T) {
	for _, version := range []string{mcptest.Era2025, mcptest.Era2026} {
		var got atomic.Int64
		session := connectChild(t, child(t, "notify", nil, "5000"), version, &mcp.ClientOptions{
			ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { got.Add(1) }})
		eventually(t, "500 notifications", func() bool { return got.Load() >= 500 })
		if text := callText(t, session, "echo", map[string]any{"text": "still"}); text != "still" {
			t.Errorf("echo = %q", text)
		}
		session.Close()
	}
}

func TestTheBigLineComesBeforeTheAnswer(t *testing.T) {
	const size = 1 << 20
	in, out := pipes(t, child(t, "bigline", nil, fmt.Sprint(size)))
	defer in.Close()
	io.WriteString(in, initializeLine+initializedLine)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{size, -1} { // the second call's line is its answer
		io.WriteString(in, callBody("echo", `{"text":"x"}`)+"\n")
		line, err := out.ReadString('\n')
		if err != nil || !json.Valid([]byte(line)) || want > 0 && len(line) != want || want < 0 && len(line) > 1000 {
			t.Errorf("line %d has %d bytes, %v", i, len(line), err)
		}
		if want > 0 {
			if line, err = out.ReadString('\n'); err != nil || !strings.Contains(line, `"id":7`) {
				t.Errorf("the answer is %.100q, %v", line, err)
			}
		}
	}

	session := connectChild(t, child(t, "bigline", nil), "", nil) // 17 MiB, more than the SDK takes
	if _, err := session.CallTool(bounded(t), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": "x"}}); err == nil {
		t.Error("a line of 17 MiB was accepted")
	}
}

func TestUnknownModesAreTheProgrammersMistake(t *testing.T) {
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, "nosuch") {
			t.Errorf("panic %q", text)
		}
	}()
	mcptest.ChildCommand("nosuch")
}

func TestAChildOfAnUnknownModeSaysSo(t *testing.T) {
	for _, test := range []struct {
		mode string
		args []string
		want string
	}{{"nosuch", nil, `"honest"`}, {"notify", []string{"fast"}, `"fast"`}} {
		command, _, _ := mcptest.ChildCommand("honest")
		cmd := exec.Command(command, test.args...)
		cmd.Env = append(os.Environ(), mcptest.EnvChild+"="+test.mode)
		output, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(output), test.want) {
			t.Errorf("%s %q: %v, %s", test.mode, test.args, err, output)
		}
	}
}
