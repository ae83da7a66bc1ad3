package vectorstore

import (
	"context"
	"fmt"
	"regexp"

	"github.com/mcpfleet/mcpfleet/internal/recovery"
)

// An opError says what the store failed at.
type opError struct {
	op  string
	err error
}

// Stores put their URL into their errors, which may hold a password or a key.
var urlSecrets = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)(?:[^\s"'/?#@]*@)?([^\s"'?#]*)(?:[?#][^\s"']*)?`)

func (e *opError) Error() string {
	return "vectorstore: " + e.op + ": " + urlSecrets.ReplaceAllString(e.err.Error(), "${1}${2}")
}

func (e *opError) Unwrap() error { return e.err }

// call asks the store, and returns as soon as ctx is done. The slot is free again when the store has really returned.
func call[T any](ctx context.Context, slots chan struct{}, op string, f func() (T, error)) (v T, err error) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return v, &opError{op, ctx.Err()}
	}
	v, err = recovery.Await(ctx, func() (T, error) {
		defer func() { <-slots }()
		return f()
	}, func(value any, _ []byte) error {
		if value == nil {
			return fmt.Errorf("the store ended its goroutine")
		}
		return fmt.Errorf("the store panicked: %v", value)
	})
	if err != nil {
		var none T
		return none, &opError{op, err}
	}
	return v, nil
}
