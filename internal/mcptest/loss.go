package mcptest

import "net/http"

// LossStyle is how a server answers a request that names a session it does not know: after a restart, behind a load
// balancer that picked another replica, or after the session expired. The specification says 404; servers differ.
type LossStyle int

// The styles of servers in the field.
const (
	LossGo404Text   LossStyle = iota // Go SDK: 404, plain text
	LossTS404NullID                  // TypeScript SDK transport: 404, JSON-RPC -32001 with a null id
	LossPython126                    // Python SDK 1.26 and later: 404, JSON-RPC -32600 with the id "server-error"
	LossPython112                    // Python SDK 1.12 to 1.25: 400, plain text
	LossNPM400                       // what the TypeScript SDK's examples taught npm servers: 400, JSON-RPC -32000, null id
	Loss410                          // 410 Gone, plain text
)

// LossStyles lists all styles, for tests that hold for each.
var LossStyles = []LossStyle{LossGo404Text, LossTS404NullID, LossPython126, LossPython112, LossNPM400, Loss410}

// losses gives the answers byte for byte, for clients that look at them. Field order and blanks are the servers' own.
var losses = map[LossStyle]struct {
	name, mediaType, body string
	status                int
}{
	LossGo404Text: {"LossGo404Text", "text/plain; charset=utf-8", "session not found\n", http.StatusNotFound},
	LossTS404NullID: {"LossTS404NullID", "application/json",
		`{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}`, http.StatusNotFound},
	LossPython126: {"LossPython126", "application/json",
		`{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}`, http.StatusNotFound},
	LossPython112: {"LossPython112", "text/plain; charset=utf-8", "Bad Request: No valid session ID provided", http.StatusBadRequest},
	LossNPM400: {"LossNPM400", "application/json; charset=utf-8",
		`{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}`, http.StatusBadRequest},
	Loss410: {"Loss410", "text/plain; charset=utf-8", "Gone\n", http.StatusGone},
}

// String returns the constant's name.
func (l LossStyle) String() string { return losses[l].name }

func (l LossStyle) reply() Reply {
	loss := losses[l]
	return Reply{Status: loss.status, Header: http.Header{"Content-Type": {loss.mediaType}}, Body: []byte(loss.body)}
}
