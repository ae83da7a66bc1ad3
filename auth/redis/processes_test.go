package redis

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/mcpfleet/mcpfleet/auth"
)

// childEnv makes this test binary a process that refreshes tokens instead of running tests.
const childEnv = "MCPFLEET_TEST_REFRESH"

// A childConfig is the value of childEnv.
type childConfig struct {
	Name   string
	Redis  string // address
	Issuer string // URL of the fake authorization server
	Users  int
}

// Two processes refresh the tokens of the same users while Redis is killed and started again. Refresh tokens can be used
// once.
func TestProcessesThatShareUsersUseNoRefreshTokenTwice(t *testing.T) {
	for name, test := range map[string]struct {
		args  []string
		keeps bool // Redis comes back with what it had
	}{
		"Redis keeps everything": {[]string{"--appendonly", "yes"}, true},
		"Redis keeps nothing":    {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			const users, kills, progress = 8, 4, 100
			redis := realServer(t, test.args...)
			as := &issuer{tokens: map[string]*refreshToken{}, refreshes: map[string]int{}}
			web := httptest.NewServer(as)
			defer web.Close()
			children := []string{"one", "two"}
			var stops []func() error
			for _, child := range children {
				stop := startChild(t, childConfig{child, redis.addr, web.URL, users})
				defer stop()
				stops = append(stops, stop)
			}

			recovered := func() {
				t.Helper()
				before := as.counts()
				if !eventually(func() bool {
					now := as.counts()
					return now["one"] >= before["one"]+progress && now["two"] >= before["two"]+progress
				}) {
					t.Fatalf("refreshes %v, a minute after %v", as.counts(), before)
				}
			}
			recovered()
			for range kills {
				redis.kill()
				time.Sleep(rand.N(200 * time.Millisecond)) // long enough for callers to fail, or not
				redis.start()
				recovered()
			}
			for _, stop := range stops {
				if err := stop(); err != nil {
					t.Error(err)
				}
			}
			if as.reused != 0 || as.crossed != 0 || as.unknown != 0 {
				t.Errorf("%d refresh tokens used twice, %d by another user, %d unknown", as.reused, as.crossed, as.unknown)
			}
			if test.keeps && as.grants != users {
				t.Errorf("%d logins of %d users: tokens were lost", as.grants, users)
			}
			t.Logf("%v refreshes, %d logins of %d users", as.refreshes, as.grants, users)
		})
	}
}

// An issuer is an authorization server whose refresh tokens rotate.
type issuer struct {
	mu                       sync.Mutex
	tokens                   map[string]*refreshToken
	grants                   int
	refreshes                map[string]int // by process
	reused, crossed, unknown int
}

type refreshToken struct {
	user string
	used bool
}

// ServeHTTP answers with a new refresh token for the form's user: for a login if there is no token in the form.
func (as *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, old, process := r.FormValue("user"), r.FormValue("token"), r.FormValue("process")
	time.Sleep(rand.N(3 * time.Millisecond)) // a refresh takes time, in which others want one too
	as.mu.Lock()
	defer as.mu.Unlock()
	if old == "" {
		as.grants++
	} else {
		switch token := as.tokens[old]; {
		case token == nil:
			as.unknown++
		case token.user != user:
			as.crossed++
		case token.used:
			as.reused++
		default:
			token.used = true
			as.refreshes[process]++
		}
	}
	fresh := fmt.Sprintf("%s.%d", user, len(as.tokens))
	as.tokens[fresh] = &refreshToken{user: user}
	fmt.Fprint(w, fresh)
}

func (as *issuer) counts() map[string]int {
	as.mu.Lock()
	defer as.mu.Unlock()
	return map[string]int{"one": as.refreshes["one"], "two": as.refreshes["two"]}
}

// startChild runs this binary as a process that refreshes until stop is called, which returns what it complains about.
func startChild(t *testing.T, cfg childConfig) (stop func() error) {
	config, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+string(config))
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return sync.OnceValue(func() error {
		stdin.Close()
		kill := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("process %s: %w\n%s", cfg.Name, err, &stderr)
		}
		return nil
	})
}

// runChild is the main function of such a process. It ends when its standard input does, which happens too if the test dies.
func runChild(config string) error {
	var cfg childConfig
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, bufio.NewReader(os.Stdin))
		cancel()
	}()
	client := goredis.NewClient(&goredis.Options{Addr: cfg.Redis, ReadTimeout: 20 * time.Second, ContextTimeoutEnabled: true})
	defer client.Close()
	store := New(Config{Client: client})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := cfg.refresh(ctx, store, fmt.Sprintf("user%d", rand.IntN(cfg.Users))); err != nil {
					time.Sleep(10 * time.Millisecond) // Redis is down, or was
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// refresh is what an OAuth client does: under the lock, use the refresh token there is and save the one that replaces it.
func (cfg childConfig) refresh(ctx context.Context, store *Store, user string) error {
	key := auth.TokenKey{Kind: "token", Tenant: "acme", User: user, Server: "github"}
	waiting, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	unlock, err := store.Lock(waiting, key)
	if err != nil {
		return err
	}
	defer unlock()
	// From here on the work is finished even if the process is to end: half of it would waste the token.
	ctx = context.WithoutCancel(ctx)
	old, err := store.Load(ctx, key)
	if err != nil && !errors.Is(err, auth.ErrNotFound) {
		return err
	}
	form := map[string][]string{"user": {user}, "token": {string(old)}, "process": {cfg.Name}}
	resp, err := http.PostForm(cfg.Issuer, form)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	fresh, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	for range 1000 { // the old one is used up: there is no other way than forward
		if err = store.Save(ctx, key, fresh, 0); err == nil || errors.Is(err, auth.ErrLockLost) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}
