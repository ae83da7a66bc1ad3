package mcpgroup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Config is what a [Registry] is made from: servers in the order in which they take precedence. It is plain data; two
// configs can be compared.
type Config struct {
	Servers []ServerConfig
	// Warnings are members of the document that nobody knows. Other programs keep theirs in the same file, so they are
	// no errors; a misspelt name is one of them. There are at most 100.
	Warnings []DocumentProblem
}

// A DocumentError reports everything that is wrong with a configuration document.
type DocumentError struct {
	Source   string // the file, or empty
	Problems []DocumentProblem
}

// A DocumentProblem is one thing that is wrong with a document. It holds no value of the document: it may be a secret.
type DocumentProblem struct {
	Path    string // such as mcpServers.github.args[2]; empty for the document as a whole
	Message string // what is wrong and how to mend it
}

// String returns "path: message".
func (p DocumentProblem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// Error lists the problems, one per line if there are several.
func (e *DocumentError) Error() string {
	source := e.Source
	if source == "" {
		source = "the configuration"
	}
	if len(e.Problems) == 1 {
		return fmt.Sprintf("mcpgroup: %s: %s", source, e.Problems[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "mcpgroup: %s has %d problems:", source, len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n\t" + p.String())
	}
	return b.String()
}

// ConfigOptions says how a document is read. nil selects the defaults.
type ConfigOptions struct {
	// Lookup gives the value of ${NAME}. The default is [os.LookupEnv]. Give another for documents that are not the
	// operator's own: whoever writes one can send any variable to a server of theirs.
	Lookup func(name string) (string, bool)
	// Strict makes errors of Config.Warnings.
	Strict bool
}

// maxDocument is the largest document that is read, in bytes.
const maxDocument = 16 << 20

// ReadConfigFile reads the configuration in a file. See [ReadConfig]. Relative names of directories (cwd) stay relative to
// the directory of the process.
func ReadConfigFile(path string, opts *ConfigOptions) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("mcpgroup: reading the configuration: %w", err)
	}
	defer f.Close()
	return readConfig(f, filepath.Base(path), opts)
}

// ReadConfig reads a configuration: a JSON object whose member mcpServers is an object of servers by name, in the form
// that MCP clients have in common, and with further members of this library's own.
//
//	command, args, env, cwd         a stdio server
//	url, headers, type              an HTTP server; type is "http" (the default) or "sse"
//	description, disabled           as elsewhere
//	category, labels                words to choose servers by
//	required, tenant, egress        see [ServerConfig]
//	include, exclude                tools to show, by name or glob
//	overrides                       {"tool": {"alias": ..., "description": ...}}
//	names                           {"prefix", "maxLength", "collision": "error" | "prefix" | "priority"}
//	timeouts                        {"call", "connect", "reconnect", "tools"}: "30s", or seconds
//	sessions                        {"max", "maxPerUser", "wait", "idle", "lifetime", "shared", "perUserTools"}
//	trust, notifications            booleans, see [ServerConfig.Trusted], [ServerConfig.Notifications]
//	protocolVersion, maxResponseBytes
//	auth                            {"credential": id} or {"oauth": {...}}
//
// ${NAME} and ${NAME:-default} are replaced in every string but names. The error is a [*DocumentError] with every problem
// there is, up to 100.
func ReadConfig(r io.Reader, opts *ConfigOptions) (*Config, error) { return readConfig(r, "", opts) }

func readConfig(r io.Reader, source string, opts *ConfigOptions) (*Config, error) {
	if opts == nil {
		opts = &ConfigOptions{}
	}
	lookup := opts.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("mcpgroup: reading the configuration: %w", err)
	}
	d := &documentReader{}
	c := &Config{}
	if len(text) > maxDocument {
		d.report("", "is larger than %d bytes", maxDocument)
	} else if root := d.parse(text); root != nil {
		root.substitute(lookup)
		c.read(root)
	}
	if opts.Strict {
		d.problems = append(d.problems, c.Warnings...)
	}
	if len(d.problems) > 0 {
		return nil, &DocumentError{Source: source, Problems: d.problems}
	}
	return c, nil
}

func (c *Config) unknown(n *node, _ string) {
	if len(c.Warnings) >= maxProblems {
		return
	}
	c.Warnings = append(c.Warnings, DocumentProblem{Path: n.path(), Message: "is not known; is it misspelt?"})
}

func (c *Config) read(root *node) {
	found := false
	root.fields(map[string]func(*node){
		"mcpServers": func(n *node) {
			found = true
			servers, ok := n.value.(*object)
			if !ok {
				n.wrong("an object of servers")
				return
			}
			for _, name := range servers.names {
				c.readServer(servers.members[name], name)
			}
		},
	}, c.unknown)
	if _, ok := root.value.(*object); ok && !found {
		root.reader.report("", `the required member "mcpServers" is missing`)
	}
}

func (c *Config) readServer(n *node, name string) {
	e := ServerConfig{Name: name}
	n.fields(map[string]func(*node){
		"command": func(n *node) { e.Command = n.text() },
		"args":    func(n *node) { e.Args = n.texts() },
		"env":     func(n *node) { e.Env = n.textMap() },
		"cwd":     func(n *node) { e.Dir = n.text() },
		"url":     func(n *node) { e.URL = n.text() },
		"headers": func(n *node) { e.Headers = n.textMap() },
		"type": func(n *node) {
			switch n.text() {
			case "stdio", "http", "streamable-http", "streamableHttp", "streamable_http", "":
			case "sse":
				e.Transport = TransportSSE
			default:
				n.reader.report(n.path(), `must be "stdio", "http" or "sse"`)
			}
		},
		"description":      func(n *node) { e.Description = n.text() },
		"category":         func(n *node) { e.Category = n.text() },
		"labels":           func(n *node) { e.Labels = n.textMap() },
		"disabled":         func(n *node) { e.Disabled = n.boolean() },
		"required":         func(n *node) { e.Required = n.boolean() },
		"tenant":           func(n *node) { e.Tenant = n.text() },
		"trust":            func(n *node) { e.Trusted = n.boolean() },
		"notifications":    func(n *node) { e.Notifications = n.boolean() },
		"protocolVersion":  func(n *node) { e.ProtocolVersion = n.text() },
		"maxResponseBytes": func(n *node) { e.MaxResponseBytes = n.integer() },
		"include":          func(n *node) { e.Include = n.texts() },
		"exclude":          func(n *node) { e.Exclude = n.texts() },
		"overrides":        func(n *node) { e.Overrides = c.readOverrides(n) },
		"names":            func(n *node) { c.readNames(n, &e.Names) },
		"timeouts": func(n *node) {
			n.fields(map[string]func(*node){
				"call":      func(n *node) { e.CallTimeout = n.duration() },
				"connect":   func(n *node) { e.DialTimeout = n.duration() },
				"reconnect": func(n *node) { e.ReconnectWindow = n.duration() },
				"tools":     func(n *node) { e.ToolsTTL = n.duration() },
			}, c.unknown)
		},
		"sessions": func(n *node) {
			n.fields(map[string]func(*node){
				"max":          func(n *node) { e.Sessions.Max = int(n.integer()) },
				"maxPerUser":   func(n *node) { e.Sessions.MaxPerUser = int(n.integer()) },
				"wait":         func(n *node) { e.Sessions.Wait = n.boolean() },
				"idle":         func(n *node) { e.Sessions.IdleTimeout = n.duration() },
				"lifetime":     func(n *node) { e.Sessions.MaxLifetime = n.duration() },
				"shared":       func(n *node) { e.Shared = n.boolean() },
				"perUserTools": func(n *node) { e.PerUserTools = n.boolean() },
			}, c.unknown)
		},
		"egress": func(n *node) {
			switch n.text() {
			case "operator":
			case "public":
				e.Egress = EgressPublic
			default:
				n.reader.report(n.path(), `must be "operator" or "public"`)
			}
		},
		"auth": func(n *node) {
			n.fields(map[string]func(*node){
				"credential": func(n *node) { e.Credential = n.text() },
				"oauth":      func(n *node) { e.OAuth = n.textMap() },
			}, c.unknown)
		},
	}, c.unknown)
	if n.faulty() {
		return // what follows would be about values that are not there
	}
	switch {
	case e.Command == "" && e.URL == "":
		n.reader.report(n.path(), `must specify either "command" (a stdio server) or "url" (an HTTP server)`)
		return
	case e.Command != "" && e.URL != "":
		n.reader.report(n.path(), `cannot have both "command" and "url"`)
		return
	}
	if _, err := e.resolved(&Options{}); err != nil {
		var config *ConfigError
		if !errors.As(err, &config) {
			n.reader.report(n.path(), "%v", err)
		} else {
			n.reader.report(n.path(), "%s: %s", config.Field, config.Reason)
		}
		return
	}
	c.Servers = append(c.Servers, e)
}

func (c *Config) readOverrides(n *node) map[string]Override {
	tools, ok := n.value.(*object)
	if !ok {
		n.wrong("an object of tools")
		return nil
	}
	m := make(map[string]Override, len(tools.names))
	for _, name := range tools.names {
		var o Override
		tools.members[name].fields(map[string]func(*node){
			"alias":       func(n *node) { o.Alias = n.text() },
			"description": func(n *node) { o.Description = n.text() },
		}, c.unknown)
		m[name] = o
	}
	return m
}

func (c *Config) readNames(n *node, p *NamePolicy) {
	n.fields(map[string]func(*node){
		"prefix":    func(n *node) { p.Prefix = n.text() },
		"maxLength": func(n *node) { p.MaxLen = int(n.integer()) },
		"collision": func(n *node) {
			policies := []CollisionPolicy{CollisionError, CollisionPrefix, CollisionPriority}
			i := slices.IndexFunc(policies, func(p CollisionPolicy) bool { return p.String() == n.text() })
			if i < 0 {
				n.reader.report(n.path(), `must be "error", "prefix" or "priority"`)
				return
			}
			p.Collision = policies[i]
		},
	}, c.unknown)
}
