// The program conformance is the client that the conformance suite of the Model Context Protocol tests
// (npm @modelcontextprotocol/conformance): this library, told by the suite what to do.
//
//	conformance <server-url>
//	conformance -suite DIR [-client PATH]
//
// The second form runs the suite that .ci/npm has installed in DIR, with this program (or another) as the client, and
// prints one line of JSON per scenario. It fails if a scenario fails that baseline.yml does not list, or the reverse.
//
// In the first form the suite starts a server of its own for every scenario and judges the client by what arrives there. It names the
// scenario in MCP_CONFORMANCE_SCENARIO and passes what the scenario needs, such as a client id, as JSON in
// MCP_CONFORMANCE_CONTEXT. Everything goes through the API that applications use, with the library's own defaults; in
// particular the protocol version is negotiated and not taken from MCP_CONFORMANCE_PROTOCOL_VERSION.
//
// The test of this package and "make figures-conformance" run the whole suite.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// limit bounds a scenario. The suite itself gives up after 30 s and then says less about why.
const limit = 25 * time.Second

// serverName names the server of the scenario in credentials and errors.
const serverName = "conformance"

// alice is the user on whose behalf everything happens.
var alice = session.Key{Tenant: "conformance", User: "alice"}

// A setting is what the suite passes to a scenario.
type setting struct {
	server string

	ToolCalls []struct {
		Name      string         `json:"name"`
		Arguments map[string]any `json:"arguments"`
	} `json:"toolCalls"`

	ClientID         string `json:"client_id"`
	ClientSecret     string `json:"client_secret"`
	PrivateKeyPEM    string `json:"private_key_pem"`
	SigningAlgorithm string `json:"signing_algorithm"`
	Issuer           string `json:"issuer"`

	IDPIssuer   string `json:"idp_issuer"`
	IDPClientID string `json:"idp_client_id"`
	IDPIDToken  string `json:"idp_id_token"`

	WorkloadJWT string `json:"valid_jwt"`
}

// A scenario does what the suite wants to see.
type scenario func(ctx context.Context, s *setting) error

func main() {
	npm := flag.String("suite", "", "run the suite that .ci/npm has installed in this `directory`")
	client := flag.String("client", "", "the `program` that the suite tests (default: this one)")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: conformance <server-url>, with MCP_CONFORMANCE_SCENARIO set\n       conformance -suite DIR [-client PATH]")
	}
	flag.Parse()
	var err error
	switch {
	case *npm != "" && flag.NArg() == 0:
		err = printSuite(*npm, *client)
	case *npm == "" && flag.NArg() == 1:
		err = play(flag.Arg(0))
	default:
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play does what the suite wants to see in the scenario that the environment names.
func play(server string) error {
	ctx, cancel := context.WithTimeout(session.NewContext(context.Background(), alice), limit)
	defer cancel()
	return run(ctx, server, os.Getenv("MCP_CONFORMANCE_SCENARIO"), os.Getenv("MCP_CONFORMANCE_CONTEXT"))
}

func printSuite(npm, client string) error {
	if client == "" {
		var err error
		if client, err = os.Executable(); err != nil {
			return err
		}
	}
	results, err := runSuite(context.Background(), npm, client)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	unexpected := 0
	for _, r := range results {
		if err := out.Encode(r); err != nil {
			return err
		}
		if !r.OK() {
			unexpected++
		}
	}
	if unexpected > 0 {
		return fmt.Errorf("conformance: %d scenarios did not end as baseline.yml says", unexpected)
	}
	return nil
}

func run(ctx context.Context, server, name, given string) error {
	s := &setting{server: server}
	if given != "" {
		if err := json.Unmarshal([]byte(given), s); err != nil {
			return fmt.Errorf("conformance: MCP_CONFORMANCE_CONTEXT: %w", err)
		}
	}
	do, ok := scenarios[name]
	if !ok {
		return fmt.Errorf("conformance: scenario %q is not known", name)
	}
	return do(ctx, s)
}

// client returns a group for the server of the scenario.
func (s *setting) client(opts *mcpgroup.Options) (*mcpgroup.MCPFunctionGroup, error) {
	if opts == nil {
		opts = &mcpgroup.Options{}
	}
	opts.ClientInfo = &mcp.Implementation{Name: "mcpfleet-conformance", Version: "1.0.0"}
	return mcpgroup.New(mcpgroup.ServerConfig{
		Name: serverName, URL: s.server,
		// Servers may ask for input on the stream for notifications instead of that of the call, up to MCP 2025-11-25.
	}, opts)
}
