package redis

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/auth"
)

func TestMain(m *testing.M) {
	goredis.SetLogger(quiet{}) // it writes to standard error what tests provoke
	if config, ok := os.LookupEnv(childEnv); ok {
		if err := runChild(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

var alice = auth.TokenKey{Kind: "token", Tenant: "acme", User: "alice", Server: "github"}

// client returns a client that is closed when the test ends.
func client(t testing.TB, addr string) *goredis.Client {
	c := goredis.NewClient(&goredis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { c.Close() })
	return c
}

// mini starts a Redis in this process, whose time passes only with FastForward.
func mini(t testing.TB) (*miniredis.Miniredis, *goredis.Client) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, client(t, m.Addr())
}

var prefixes atomic.Int64

// anyPrefix returns one that no other test has.
func anyPrefix() string { return fmt.Sprintf("test%d", prefixes.Add(1)) }

// A server is a redis-server process.
type server struct {
	t    testing.TB
	path string
	addr string
	args []string
	cmd  *exec.Cmd
}

// realServer starts redis-server on a free port, with its data in a directory of the test.
func realServer(t testing.TB, args ...string) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed (Debian package redis-server):", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, path: path, addr: addr}
	s.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(), "--logfile", "redis.log"}, args...)
	t.Cleanup(s.kill)
	s.start()
	return s
}

// start returns when the server answers.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.path, s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	c := goredis.NewClient(&goredis.Options{Addr: s.addr, MaxRetries: -1})
	defer c.Close()
	if !eventually(func() bool { return c.Ping(context.Background()).Err() == nil }) {
		log, _ := os.ReadFile(filepath.Join(s.args[7], "redis.log"))
		s.t.Fatalf("redis-server does not answer:\n%s", log)
	}
}

// kill ends the server without a chance to save anything.
func (s *server) kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// eventually polls a condition of something outside this process, for a minute at most.
func eventually(condition func() bool) bool {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return false
}

// A logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
