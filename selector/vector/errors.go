package vector

import (
	"errors"
	"fmt"
)

// What can be wrong with a vector; every [*Error] wraps one of them.
var (
	ErrDimension = errors.New("wrong dimension")
	ErrZero      = errors.New("all elements are zero")
	ErrNotFinite = errors.New("an element is not finite")
)

// An Error says which vector was refused, and why.
type Error struct {
	// Query is whether the vector is a query, and not a row.
	Query bool
	// Row is its index among the rows or queries of the call.
	Row int
	// Element is the index of the first element that is NaN or infinite, or -1.
	Element int
	// Len and Dim are how many elements the vector has and has to have.
	Len, Dim int
	// Err is [ErrDimension], [ErrZero] or [ErrNotFinite].
	Err error
}

func (e *Error) Error() string {
	what := "row"
	if e.Query {
		what = "query"
	}
	switch {
	case errors.Is(e.Err, ErrDimension):
		return fmt.Sprintf("vector: %s %d has %d elements and not %d; use the embedder that the index was made for", what, e.Row, e.Len, e.Dim)
	case errors.Is(e.Err, ErrZero):
		return fmt.Sprintf("vector: %s %d is zero, which has no direction; leave out texts that the embedder cannot embed", what, e.Row)
	case errors.Is(e.Err, ErrNotFinite):
		return fmt.Sprintf("vector: %s %d: element %d is NaN or infinite; the embedder is at fault", what, e.Row, e.Element)
	}
	return fmt.Sprintf("vector: %s %d: %v", what, e.Row, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
