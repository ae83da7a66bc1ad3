package selector

import (
	"errors"
	"fmt"
)

// ErrInvalid is wrapped by every [*InvalidError].
var ErrInvalid = errors.New("invalid")

// errBare says nothing about what the embedder said, which may be about another user's tools.
var errBare = errors.New("selector: the embedder failed when tools were added, which are ranked by their words alone until it answers")

// An InvalidError reports a [Query], [Document] or [Options] that cannot be used.
type InvalidError struct {
	Field  string // such as "Query.MaxTools" or `Document "github.search".Name`
	Reason string // what is wrong, and how to mend it
}

func (e *InvalidError) Error() string { return fmt.Sprintf("selector: %s %s", e.Field, e.Reason) }

func (e *InvalidError) Unwrap() error { return ErrInvalid }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}
