package lines

import (
	"context"
	"io"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stream is a stream of two halves. A half that is nil must not be used.
type stream struct {
	io.Reader
	io.Writer
	close func() error // nil does nothing
}

func (s stream) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

func connect(t testing.TB, transport mcp.Transport) mcp.Connection {
	t.Helper()
	c, err := transport.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func readFrom(t testing.TB, r io.Reader) mcp.Connection {
	t.Helper()
	return connect(t, Transport{Stream: stream{Reader: r}})
}

// readAll returns the messages before the first error, and that.
func readAll(ctx context.Context, c mcp.Connection) (all []jsonrpc.Message, err error) {
	for {
		m, err := c.Read(ctx)
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

func encode(t testing.TB, all ...jsonrpc.Message) []string {
	t.Helper()
	var texts []string
	for _, m := range all {
		text, err := jsonrpc.EncodeMessage(m)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}
