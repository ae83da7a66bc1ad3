package mcphttp

import (
	"errors"
	"net/http"
	"testing"
)

func TestSessionLossIsRecognised(t *testing.T) {
	rpc := func(id, code, message string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":` + code + `,"message":"` + message + `"}}`
	}
	for _, tt := range []struct {
		status int
		body   string
		want   bool
	}{
		// What servers answer.
		{404, "session not found\n", true},
		{404, "404 page not found", true}, // the standard's word
		{404, "", true},
		{404, "<html><title>Not found</title>", true},
		{410, "gone", true},
		{404, rpc(`"server-error"`, "-32600", "Session not found"), true},
		{404, rpc("null", "-32001", "Session not found"), true},
		{404, rpc("null", "-32600", "Session not found"), true},
		{404, rpc("7", "-32600", "Session not found"), true},
		{400, rpc("7", "-32001", "Session terminated"), true},
		{404, rpc("7", "-32001", "Session has been terminated"), true},
		{400, rpc(`"server-error"`, "-32600", "Bad Request: No valid session ID provided"), true},
		{400, rpc("null", "-32000", "Bad Request: No valid session ID provided"), true},
		{400, rpc("null", "-32000", "Bad Request: Server not initialized"), true},
		{400, "No valid session ID provided", true},
		{400, "Bad Request: No valid session ID provided", true},
		{400, "Invalid session ID", true},
		{400, "invalid session id: abc", true},
		{400, " Unknown session.\n", true},
		{400, `{"error":"Invalid session ID"}`, true},
		{400, `{"detail":"Session expired"}`, true},
		{400, `{"error":{"code":400,"message":"session not found"}}`, true},
		{400, `{"message":"Not Found: session does not exist"}`, true},

		// What is no loss.
		{400, "", false},
		{400, "bad argument", false},
		{400, "the session id in your argument is invalid", false},
		{400, "Invalid sessions list", false},
		{400, "argument 'session': unknown session", false},
		{400, `{"error":"tool says: Session not found"}`, false},
		{400, `{"data":"Session not found"}`, false},
		{400, rpc("7", "-32602", "Invalid session ID"), false},
		{404, rpc("7", "-32602", "Session not found: tab 3"), false},
		{404, rpc("7", "-32601", "Method not found"), false},
		{404, rpc("7", "-32002", "Resource not found"), false},
		{400, rpc("7", "-32000", "Session not found"), false},
		{400, rpc("7", "-32600", "Invalid Request"), false},
		{400, rpc("null", "-32700", "Parse error"), false},
		{400, "Bad Request: Mcp-Session-Id header is required", false},
		{401, "Invalid session ID", false},
		{403, "Session expired", false},
		{500, "Session not found", false},
		{200, "Session not found", false},
	} {
		if got := sessionLost(tt.status, []byte(tt.body)); got != tt.want {
			t.Errorf("sessionLost(%d, %s) = %v", tt.status, tt.body, got)
		}
	}
}

func TestWithoutASessionNothingCanBeLost(t *testing.T) {
	c, url := serve(t, http.NotFoundHandler(), nil)
	req := newPost(t.Context(), t, url, call)
	req.Header.Del(headerSession)
	_, err := c.Client().Do(req)
	var status *HTTPError
	if !errors.As(err, &status) || status.SessionLost || status.StatusCode != 404 {
		t.Errorf("error %v, want a 404 and no lost session", err)
	}
}

func FuzzSessionLossNeverPanics(f *testing.F) {
	f.Add(404, []byte(`{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}`))
	f.Add(400, []byte("No valid session ID provided"))
	f.Add(400, []byte(`{"error":{"code":{},"message":[]}}`))
	f.Add(400, []byte(`{"detail":null,"error":""}`))
	f.Add(400, []byte("\xff\xfe"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if sessionLost(status, body) && status != 400 && status != 404 && status != 410 {
			t.Errorf("a session was lost by %d", status)
		}
		looseError(body, parse(body))
		for _, text := range []string{cleanText(string(body), 16), cleanText(string(body), 512)} {
			if again := cleanText(text, 512); again != text {
				t.Errorf("cleanText is not idempotent: %q, %q", text, again)
			}
		}
	})
}
