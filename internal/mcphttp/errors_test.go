package mcphttp

import (
	"strings"
	"testing"
	"time"
)

func TestErrorTextsSayWhatHappenedAndWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&HTTPError{StatusCode: 503}, "503 Service Unavailable"},
		{&HTTPError{StatusCode: 599, Body: "odd"}, "599: odd"},
		{&HTTPError{StatusCode: 404, SessionLost: true}, "404 Not Found (it has forgotten the session; connect again)"},
		{&HTTPError{StatusCode: 429, HasRetryAfter: true, RetryAfter: time.Second}, "(retry after 1s)"},
		{&TooLargeError{Limit: 10, What: "JSON answer"}, "larger than 10 bytes; ask the server for less or raise the limit"},
		{&ContentTypeError{StatusCode: 200, ContentType: "text/html"}, `"text/html"`},
		{&AnswerError{What: "JSON answer"}, "JSON answer is not a JSON-RPC 2.0 message"},
		{&RedirectError{StatusCode: 302, Host: "h"}, `(302) to "h"`},
		{&RedirectError{StatusCode: 304}, "configure the final URL"},
		{&RedirectError{Host: "h"}, `refused to send a request to "h"`},
		{&HeaderError{Name: "X-A", Reason: "is bad"}, `header "X-A" is bad`},
		{&ResumeError{}, "could not be resumed"},
		{&ResumeError{StatusCode: 405}, "the server answered 405"},
	} {
		if text := tt.err.Error(); !strings.HasPrefix(text, "mcphttp: ") || !strings.Contains(text, tt.want) {
			t.Errorf("%T: %q, want it to hold %q", tt.err, text, tt.want)
		}
	}
}
