package oauth

import (
	"github.com/mcpfleet/mcpfleet/internal/recovery"
	"github.com/mcpfleet/mcpfleet/session"
)

// recovered calls what runs code of the host's: its store, its HTTP transport, its callbacks. A panic in it becomes a
// *session.PanicError, and so does runtime.Goexit, which would leave those waiting who share the call.
func recovered[T any](name string, f func() (T, error)) (T, error) {
	return recovery.Call(f, func(value any, stack []byte) error {
		return &session.PanicError{Func: name, Value: value, Stack: stack}
	})
}

// recoveredErr is recovered for functions without another result.
func recoveredErr(name string, f func() error) error {
	_, err := recovered(name, func() (struct{}, error) { return struct{}{}, f() })
	return err
}
