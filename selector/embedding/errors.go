package embedding

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// ErrClosed is what a [Client] returns after Close.
var ErrClosed = errors.New("embedding: the client is closed")

// A Reason says why a text has no vector.
type Reason string

const (
	Empty      Reason = "empty"      // the text is empty or all white space; it was not sent
	Count      Reason = "count"      // the embedder returned fewer or more vectors than there were texts
	Dimensions Reason = "dimensions" // the vector is longer or shorter than the first one, or than [Config.Dimensions]
	NotFinite  Reason = "not finite" // the vector holds NaN or an infinity, or its length overflows a float32
	Zero       Reason = "zero"       // the vector has no direction
	Failed     Reason = "failed"     // the embedder returned an error or panicked; see Unwrap
)

// An Error says which text has no vector, and why.
type Error struct {
	// Index is the text's place among those of the call. It is 0 for a query.
	Index  int
	Reason Reason

	detail string
	err    error
}

func (e *Error) Error() string {
	if e.err != nil {
		return fmt.Sprintf("embedding: text %d: %s: %s", e.Index, e.detail, clean(e.err))
	}
	return fmt.Sprintf("embedding: text %d: %s", e.Index, e.detail)
}

// Unwrap returns the embedder's error with [Failed], else nil.
func (e *Error) Unwrap() error { return e.err }

// A CooldownError says that the embedder was not asked, because it failed a short while ago.
type CooldownError struct {
	Until time.Time // when it is asked again; the zero time while a single request finds out whether it works again
	Err   error     // how it failed
}

func (e *CooldownError) Error() string {
	if e.Until.IsZero() {
		return "embedding: the embedder failed and is being tried with another request: " + clean(e.Err)
	}
	return fmt.Sprintf("embedding: the embedder failed and is not asked before %s: %s", e.Until.UTC().Format(time.RFC3339), clean(e.Err))
}

func (e *CooldownError) Unwrap() error { return e.Err }

// A panicError is the panic of an embedder. A nil value is runtime.Goexit.
type panicError struct{ value any }

func (e *panicError) Error() string {
	if e.value == nil {
		return "the embedder ended its goroutine"
	}
	return fmt.Sprintf("the embedder panicked: %v", e.value)
}

func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

var (
	// Embedders put their URL into their errors, and some providers take the key in its query.
	urlSecrets = regexp.MustCompile(`(?i)\b(https?://)(?:[^\s"'/?#@]*@)?([^\s"'?#]*)(?:[?#][^\s"']*)?`)
	// The form of an HTTP status that can be told from other numbers: "status code: 400", "status: 401", "HTTP status 404".
	refusal = regexp.MustCompile(`(?i)\bstatus(?:[ _]?code)?\W{0,3}(4\d\d)\b`)
)

// clean is err's text without the user and query of the URLs in it.
func clean(err error) string {
	return urlSecrets.ReplaceAllString(err.Error(), "${1}${2}")
}

// retryable is the default of [Config.Retryable].
func retryable(err error) bool {
	m := refusal.FindStringSubmatch(err.Error())
	if m == nil {
		return true
	}
	switch m[1] {
	case "408", "409", "425", "429":
		return true
	}
	return false
}
