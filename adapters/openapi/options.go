package openapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// ParseOptions bound what a document may be. Nil means the defaults.
type ParseOptions struct {
	// URL is where the document came from; relative server URLs are resolved against it. [Load] sets it.
	URL *url.URL
	// Client fetches the document for [Load]. The default follows no redirects and gives up after 30 seconds.
	Client *http.Client
	// MaxBytes is the size of the document. The default is 16 MiB.
	MaxBytes int64
	// MaxDepth is how deep objects and arrays may nest. The default is 100.
	MaxDepth int
	// MaxValues is the number of values in the document, where each use of a YAML alias counts all that it stands for.
	// The default is 2,000,000, eight times that of the largest public documents.
	MaxValues int
}

func (o *ParseOptions) withDefaults() ParseOptions {
	var out ParseOptions
	if o != nil {
		out = *o
	}
	if out.MaxBytes < 0 || out.MaxDepth < 0 || out.MaxValues < 0 {
		panic("openapi: ParseOptions: limits cannot be negative")
	}
	if out.MaxBytes == 0 {
		out.MaxBytes = 16 << 20
	}
	if out.MaxDepth == 0 {
		out.MaxDepth = 100
	}
	if out.MaxValues == 0 {
		out.MaxValues = 2_000_000
	}
	return out
}

// Options configure [NewServer]. Nil means the defaults. The struct is copied on entry.
type Options struct {
	// BaseURL is the absolute http or https URL below which all paths lie. The default is the document's first server with
	// the defaults of its variables, relative to the document's URL; operations with servers of their own use those, and are
	// left out where those cannot be resolved.
	BaseURL string
	// Client sends the requests. The default follows no redirects, keeps no cookies and may connect anywhere: bring a
	// guarded client where the document or its URL comes from somebody else. Redirects that the client would follow are
	// followed within one origin only.
	Client *http.Client
	// Authorize adds credentials: headers, cookies or query parameters. ctx ends with the tool call and has the values of the
	// context that its session was connected with (mcp.Server.Connect), not those of the caller's. It is called only for
	// requests to the origin of the base URL, and after it nothing that a model said can replace what it set; a request whose
	// origin it changes is not sent. It must be safe for concurrent use. The default adds nothing.
	Authorize func(ctx context.Context, r *http.Request) error

	// IncludeTags keeps the operations that have one of these tags. The default keeps all.
	IncludeTags []string
	// ExcludeTags leaves out the operations that have one of these tags.
	ExcludeTags []string
	// Include keeps the tools whose names match one of these patterns, written as for path.Match. The default keeps all.
	Include []string
	// Exclude leaves out the tools whose names match one of these patterns.
	Exclude []string
	// IncludeDeprecated keeps deprecated operations. The default leaves them out.
	IncludeDeprecated bool
	// Names names the tools. What it returns is spelled for all providers ([A-Za-z0-9_-], at most 64) and made unique.
	// The default is Operation.Name.
	Names func(Operation) string
	// OmitOutputSchemas leaves output schemas out, for APIs that do not answer as their documents say: clients may refuse
	// the result of a tool that breaks its own output schema.
	OmitOutputSchemas bool
	// MaxSchemaBytes is the size of one tool's input or output schema as JSON. A larger one loses its examples, then what
	// lies behind references, the deepest first; an output schema that is still too large is left out. The default is 64 KiB.
	MaxSchemaBytes int

	// MaxResponseBytes is the size of a response's body after decompression. A larger one makes the call fail.
	// The default is 4 MiB.
	MaxResponseBytes int64
	// Timeout bounds one call, from authorization to the last byte of the body. The default is 60 seconds.
	Timeout time.Duration
	// Progress is called while the server is built: after each of total operations, in one goroutine.
	Progress func(done, total int)
	// Logger gets operations that cannot become tools. The default is silent.
	Logger *slog.Logger

	// refused is told that an API has answered 401, or 403 for want of scope, to a request that Authorize has authorized, and
	// reports whether there is another credential by now.
	refused func(ctx context.Context, r *http.Request, res *http.Response) (renewed bool, err error)
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.MaxResponseBytes < 0 || out.MaxSchemaBytes < 0 || out.Timeout < 0 {
		panic("openapi: Options: limits cannot be negative")
	}
	if out.MaxResponseBytes == 0 {
		out.MaxResponseBytes = 4 << 20
	}
	if out.MaxSchemaBytes == 0 {
		out.MaxSchemaBytes = 64 << 10
	}
	if out.Timeout == 0 {
		out.Timeout = time.Minute
	}
	if out.Client == nil {
		out.Client = &http.Client{CheckRedirect: noRedirects}
	}
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	return out
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
