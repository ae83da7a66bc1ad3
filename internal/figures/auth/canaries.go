package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// canaries: a day on which everything goes wrong once, with a secret of every kind in use; then all that was logged,
// returned, counted and written is searched. The second time servers send back what they are sent.
func canaries(t *figures.Table) {
	for _, echoes := range []bool{false, true} {
		b := newBook(echoes)
		files, lines := b.day()
		missing := b.missing()
		goal := "S3: 0 canaries in logs, errors, printed values, stats, files"
		if echoes {
			goal = "S3: the same where servers send back what they are sent"
		} else {
			t.Row(fmt.Sprintf("S3: %d kinds of secrets are in use", b.kinds()), fmt.Sprintf("%d never arrived %q", len(missing), missing), len(missing) == 0)
			t.Note("S3: %d lines of log at debug level and %d files; canaries are looked for by their first %d characters, in any case, in base64 and in hexadecimal; servers fail in %d ways",
				lines, files, start, len(failures)+len(tokenFailures))
		}
		t.Row(goal, fmt.Sprintf("%d hits in %d texts, %.1f MB", b.hits, b.sinks, float64(b.bytes)/1e6), b.hits == 0 && len(missing) == 0 && lines > 0 && files > 0)
		b.note(t, 12)
	}
}

func (b *book) day() (files, lines int) {
	log.SetOutput((*logWriter)(b)) // of net/http's servers, and of whoever logs behind our back
	defer log.SetOutput(os.Stderr)
	dir, err := os.MkdirTemp("", "figures-auth-")
	check(err)
	defer os.RemoveAll(dir)
	m := newMirror(b)
	defer m.close()
	for _, c := range credentials(b, dir) {
		b.failing(m, c)
	}
	b.malformed(m)
	b.panics(m)
	b.process()
	b.oauth(dir)
	return b.lookFiles(dir), b.lookLog()
}

// A trusted is one way of bringing a credential.
type trusted struct {
	kind  string
	chain auth.ChainConfig
	ctx   context.Context
	cfg   mcpgroup.ServerConfig
}

// credentials makes one of each kind.
func credentials(b *book, dir string) []trusted {
	key := []byte(strings.Repeat("k", 32))
	store, err := auth.NewFileStore(filepath.Join(dir, "secrets"), key)
	check(err)
	save := func(id string, c auth.Credential) *auth.FileStore {
		check(store.SetSecret(context.Background(), auth.SecretKey{Tenant: tenant, ID: id}, c))
		return store
	}
	alice := user("alice")
	with := func(c auth.Credential) context.Context {
		return auth.WithCredentials(alice, map[string]auth.Credential{"remote": c})
	}
	return []trusted{
		{kind: "request bearer", ctx: with(auth.Bearer(b.plant("request bearer")))},
		{kind: "request password", ctx: with(auth.Basic("alice", b.plant("request password")))},
		{kind: "API key header", ctx: with(auth.Header("X-Api-Key", b.plant("API key header")))},
		{kind: "stored bearer", ctx: with(auth.Reference("mine")), chain: auth.ChainConfig{Secrets: save("mine", auth.Bearer(b.plant("stored bearer")))}},
		{kind: "stored password", ctx: with(auth.Reference("basic")), chain: auth.ChainConfig{Secrets: save("basic", auth.Basic("alice", b.plant("stored password")))}},
		{kind: "agent bearer", ctx: auth.WithAgentCredentials(alice, map[string]auth.Credential{"remote": auth.Bearer(b.plant("agent bearer"))})},
		{kind: "server secret", ctx: alice, chain: auth.ChainConfig{Credential: auth.Bearer(b.plant("server secret"))}},
		{kind: "stored server secret", ctx: alice, chain: auth.ChainConfig{Secrets: save("server", auth.Header("X-Api-Key", b.plant("stored server secret"))), Credential: auth.Reference("server")}},
		{kind: "additional header", ctx: alice, chain: auth.ChainConfig{Headers: headers(b.plant("additional header"))}},
		{kind: "configured header", ctx: alice, cfg: mcpgroup.ServerConfig{Headers: map[string]string{"X-Service": b.plant("configured header")}}},
		{kind: "provider token", ctx: alice, chain: auth.ChainConfig{OAuth: provider{token: auth.NewSecret(b.plant("provider token"))}}},
	}
}

func headers(value string) func(context.Context, session.Key) (map[string]auth.Secret, error) {
	return func(context.Context, session.Key) (map[string]auth.Secret, error) {
		return map[string]auth.Secret{"X-Service": auth.NewSecret(value)}, nil
	}
}

// provider is a token provider that knows one token, and can do nothing if it is refused.
type provider struct {
	token auth.Secret
	panic any
}

func (p provider) Token(context.Context, session.Key) (auth.Secret, error) {
	if p.panic != nil {
		panic(p.panic)
	}
	return p.token, nil
}

func (p provider) Refused(context.Context, session.Key, auth.Refusal) (bool, error) {
	return false, errors.New("there is no other token")
}

// failing uses a credential at a server that works, that fails in every way, and after the end.
func (b *book) failing(m *mirror, c trusted) {
	c.cfg.Name, c.cfg.URL, c.cfg.ReconnectWindow = "remote", m.url(), -1
	c.chain.Server, c.chain.Logger = "remote", b.logger()
	alice := session.Key{Tenant: tenant, User: "alice"}
	b.print("config of "+c.kind, c.chain)
	b.print("context of "+c.kind, c.ctx)
	chain, err := auth.NewChain(c.chain)
	check(err)
	for _, mode := range failures {
		where := c.kind + ", " + mode + ", "
		// A group of its own: what one failure leaves behind must not hide the next.
		g, err := mcpgroup.New(c.cfg, &mcpgroup.Options{Auth: chain, Logger: b.logger()})
		check(err)
		echo := func() error {
			ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
			defer cancel()
			_, err := g.Call(ctx, "echo", map[string]any{"text": "x"})
			return err
		}
		look := func(what string, err error) {
			b.error(where+what, err)
			b.print(where+what+", Status", g.Status())
			b.print(where+what+", LastError", struct{ E error }{g.Status().LastError})
		}
		m.fail("")
		check(echo())
		m.fail(mode)
		look("call", echo())
		_, err = g.Tools(c.ctx, mcpgroup.WithRefresh())
		look("list", err)
		g.CleanupSessions(c.ctx, 0)
		look("connect", echo())
		m.fail("")
		check(g.Close())
		look("closed", echo())
	}
	r, err := chain.Resolve(c.ctx, alice)
	check(err)
	b.print("Resolution of "+c.kind, r)
	b.print("Resolution of "+c.kind, struct{ R auth.Resolution }{r})
	principal, err := chain.Principal(c.ctx, alice)
	check(err)
	b.print("Principal of "+c.kind, principal)
	b.print("Chain of "+c.kind, chain)
	b.print("Explain of "+c.kind, chain.Explain(c.ctx, alice))
}

// malformed brings credentials that may not be sent.
func (b *book) malformed(m *mirror) {
	m.fail("")
	bad := func() string { return b.plant("bad value") }
	alice := session.Key{Tenant: tenant, User: "alice"}
	for i, c := range []auth.Credential{
		auth.Bearer(bad() + "\r\nX-Admin: yes"), auth.Bearer(bad() + " two"), auth.Bearer("ü" + bad()), auth.Bearer(bad() + "\x00"),
		{Authorization: auth.NewSecret(bad() + "\n")}, auth.Header("X-Api-Key", bad()+"\n"), auth.Header("X Api Key", bad()),
		auth.Header("Host", bad()), auth.Header("Mcp-Session-Id", bad()), auth.Header("Content-Length", bad()),
		{Env: map[string]auth.Secret{"A=B": auth.NewSecret(bad())}}, {Env: map[string]auth.Secret{"A": auth.NewSecret(bad() + "\x00")}},
		{Headers: map[string]auth.Secret{"X-Api-Key": auth.NewSecret(bad()), "x-api-key": auth.NewSecret(bad())}},
		auth.Reference(strings.Repeat("no-such-id", 1000)),
	} {
		sink := fmt.Sprint("malformed ", i)
		b.print(sink, c)
		ctx := auth.WithCredentials(user("alice"), map[string]auth.Credential{"remote": c})
		g := newGroup(m.url(), auth.ChainConfig{Logger: b.logger(), Secrets: auth.NewMemoryStore()}, mcpgroup.ServerConfig{ReconnectWindow: -1}, mcpgroup.Options{Logger: b.logger()})
		_, err := g.Call(ctx, "echo", map[string]any{"text": "x"})
		b.error(sink, err)
		b.print(sink+" Status", g.Status())
		g.Close()

		server := auth.ChainConfig{Server: "remote", Credential: c, Logger: b.logger()}
		chain, err := auth.NewChain(server)
		b.error(sink+" of the server", err)
		if err == nil {
			_, err = chain.Resolve(context.Background(), alice)
			b.error(sink+" resolved", err)
			b.error(sink+" set", chain.SetServerCredential(context.Background(), tenant, c))
		}
	}
}

// panics lets the host's own callbacks panic with what they have in hand.
func (b *book) panics(m *mirror) {
	secret := auth.NewSecret(b.plant("bad luck"))
	for i, value := range []any{secret, &secret, auth.Credential{Authorization: secret}, map[string]auth.Secret{"X": secret}, struct{ s auth.Secret }{secret},
		fmt.Errorf("with %v", secret)} {
		sink := fmt.Sprint("panic ", i)
		for _, chain := range []auth.ChainConfig{
			{OAuth: provider{panic: value}},
			{Headers: func(context.Context, session.Key) (map[string]auth.Secret, error) { panic(value) }},
			{Secrets: brokenStore{value}, Credential: auth.Reference("server")},
		} {
			chain.Logger = b.logger()
			g := newGroup(m.url(), chain, mcpgroup.ServerConfig{ReconnectWindow: -1}, mcpgroup.Options{Logger: b.logger()})
			_, err := g.Call(user("alice"), "echo", map[string]any{"text": "x"})
			if err == nil {
				b.look(sink, "no error", secret.Reveal()) // a hit, so that the row is short
			}
			b.error(sink, err)
			b.print(sink+" Status", g.Status())
			g.Close()
		}
	}
}

// brokenStore is a store that panics.
type brokenStore struct{ value any }

func (s brokenStore) Secret(context.Context, auth.SecretKey) (auth.Credential, error) { panic(s.value) }

func (s brokenStore) SetSecret(context.Context, auth.SecretKey, auth.Credential) error {
	panic(s.value)
}

// process starts stdio servers with a secret in their environment: one that works and says it aloud, one that dies, one
// that does not exist.
func (b *book) process() {
	credential := auth.Credential{Env: map[string]auth.Secret{mcptest.EnvUser: auth.NewSecret(b.plant("environment"))}}
	for _, mode := range []string{"honest", "exit", "missing"} {
		command, args, env := mcptest.ChildCommand("honest")
		switch mode {
		case "exit":
			command, args, env = mcptest.ChildCommand("exit")
		case "missing":
			command += "-which-is-not-there"
		}
		chain, err := auth.NewChain(auth.ChainConfig{Server: "local", Credential: credential, Logger: b.logger()})
		check(err)
		g, err := mcpgroup.New(mcpgroup.ServerConfig{Name: "local", Command: command, Args: args, Env: env, ReconnectWindow: -1, DialTimeout: 10 * time.Second},
			&mcpgroup.Options{Auth: chain, Logger: b.logger()})
		check(err)
		res, err := g.Call(user("alice"), "whoami", nil)
		if err == nil {
			b.arrive(res.Text())
			_, err = g.Call(user("alice"), "no_such_tool", nil)
		}
		b.error("process "+mode, err)
		b.print("process "+mode+" Status", g.Status())
		g.Close()
		_, err = g.Call(user("alice"), "whoami", nil)
		b.error("process "+mode+" after Close", err)
	}
}

// lookFiles searches all files below dir, and their names.
func (b *book) lookFiles(dir string) (files int) {
	check(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		b.look(path, "file", path+"\n"+string(text))
		return err
	}))
	return files
}
