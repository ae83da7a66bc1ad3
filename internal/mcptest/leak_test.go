package mcptest_test

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/mcptest"
)

func TestGoroutinesWaitsForThoseThatEnd(t *testing.T) {
	before := mcptest.Goroutines()
	stop := make(chan struct{})
	for range 10 {
		go func() { <-stop }()
	}
	if got := mcptest.Goroutines(); got != before+10 {
		t.Errorf("with 10 more Goroutines() = %d, want %d", got, before+10)
	}
	close(stop)
	for range 10 {
		go func() { time.Sleep(20 * time.Millisecond) }() // shorter than it takes to look settled
	}
	if got := mcptest.Goroutines(); got != before {
		t.Errorf("after they ended Goroutines() = %d, want %d", got, before)
	}
}

func TestOpenFilesCountsSocketsAndPipes(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	listen().Close() // the first one of a process opens files for the runtime's poller, too
	before := mcptest.OpenFiles()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := listen()
	if got := mcptest.OpenFiles(); got != before+3 {
		t.Errorf("with a pipe and a listener OpenFiles() = %d, want %d", got, before+3)
	}
	r.Close()
	w.Close()
	l.Close()
	if got := mcptest.OpenFiles(); got != before {
		t.Errorf("after closing them OpenFiles() = %d, want %d", got, before)
	}
}

func TestChildrenIncludesZombies(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		for _, p := range mcptest.Children() {
			if p.PID == cmd.Process.Pid {
				return p.State
			}
		}
		return "none"
	}
	eventually(t, "a zombie", func() bool { return state() == "Z" })
	_ = cmd.Wait()
	if got := state(); got != "none" {
		t.Errorf("after Wait its state is %s", got)
	}
}

func TestHeapInUseSeesWhatIsHeld(t *testing.T) {
	before := mcptest.HeapInUse()
	held := make([]byte, 32<<20)
	with := mcptest.HeapInUse()
	runtime.KeepAlive(held)
	after := mcptest.HeapInUse()
	if with < before+31<<20 || after > before+16<<20 {
		t.Errorf("HeapInUse() = %d before, %d with 32 MiB held, %d after", before, with, after)
	}
}
