package auth

import (
	"github.com/mcpfleet/mcpfleet/internal/recovery"
	"github.com/mcpfleet/mcpfleet/session"
)

// recovered calls a function of the host's. A panic in it becomes a *session.PanicError that names it, and so does
// runtime.Goexit.
func recovered[T any](name string, f func() (T, error)) (T, error) {
	return recovery.Call(f, func(value any, stack []byte) error {
		return &session.PanicError{Func: name, Value: value, Stack: stack}
	})
}
