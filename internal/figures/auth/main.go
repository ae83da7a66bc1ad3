// The program auth measures credentials: OAuth against a real authorization server, many users and servers at once, what
// the chain of credentials costs, and whether a secret ever shows.
//
//	figures-auth [-rows S3,S4,...] [-calls N]
//
// The rows flow, crowd and replicas need MCPFLEET_NPM, see .ci/npm; parallel, S3, S4, S15 and overhead do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/mcpfleet/mcpfleet/auth"
	"github.com/mcpfleet/mcpfleet/auth/oauth"
	"github.com/mcpfleet/mcpfleet/internal/figures"
	"github.com/mcpfleet/mcpfleet/internal/mcptest"
	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

var measurements = []figures.Measurement{
	{ID: "overhead", Run: overhead}, // first: it is the only one that a big heap disturbs
	{ID: "flow", NPM: true, Run: flow},
	{ID: "crowd", NPM: true, Run: crowd},
	{ID: "replicas", NPM: true, Run: replicas},
	{ID: "parallel", Run: parallel},
	{ID: "S4", Run: isolation},
	{ID: "S3", Run: canaries},
	{ID: "S15", Run: refusals},
}

var calls = flag.Int("calls", 5000, "interleaved calls of S4; 100,000 in full")

func main() {
	mcptest.ChildMain()
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		serve(os.Args[2])
		return
	}
	log.SetFlags(0)
	rows := flag.String("rows", "", "comma-separated `ids` of what to measure; the default is everything")
	flag.Parse()
	chosen := figures.Choose("auth", measurements, *rows)
	if figures.NeedNPM(chosen) {
		nodeModules()
	}
	t := figures.New("auth")
	start := time.Now()
	for _, m := range chosen {
		m.Run(t)
	}
	t.Note("measured in %.0f s", time.Since(start).Seconds())
	t.Note("tokens that two processes share through Redis are measured by the tests of the module auth/redis, which this one cannot import")
	t.Exit()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

const tenant = "acme"

func user(name string) context.Context {
	return session.NewContext(context.Background(), session.Key{Tenant: tenant, User: name})
}

// newClient makes an OAuth client for the server named "remote".
func newClient(cfg oauth.Config) *oauth.Client {
	cfg.Server = "remote"
	c, err := oauth.New(cfg)
	check(err)
	return c
}

// newGroup makes a group of the server at url with the credentials that chain finds.
func newGroup(url string, chain auth.ChainConfig, cfg mcpgroup.ServerConfig, opts mcpgroup.Options) *mcpgroup.MCPFunctionGroup {
	if cfg.Name == "" {
		cfg.Name = "remote"
	}
	cfg.URL = url
	chain.Server = cfg.Name
	var err error
	opts.Auth, err = auth.NewChain(chain)
	check(err)
	g, err := mcpgroup.New(cfg, &opts)
	check(err)
	return g
}

// whoami calls as the user of that name and fails unless the server agrees.
func whoami(ctx context.Context, g *mcpgroup.MCPFunctionGroup, name string) error {
	res, err := g.Call(ctx, "whoami", map[string]any{"user": name})
	switch {
	case err != nil:
		return err
	case res.IsError || res.Text() != name:
		return fmt.Errorf("%s is told %q", name, res.Text())
	}
	return nil
}

// prompted returns the address at which the user is to authorize, if that is what err says.
func prompted(err error) (url string, ok bool) {
	var required *auth.AuthRequiredError
	if !errors.As(err, &required) {
		return "", false
	}
	return required.URL, true
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
