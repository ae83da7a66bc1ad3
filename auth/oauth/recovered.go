package oauth

import (
	"runtime/debug"

	"github.com/mcpfleet/mcpfleet/session"
)

// recovered calls what runs code of the host's: its store, its HTTP transport, its callbacks. A panic in it becomes a
// *session.PanicError, and so does runtime.Goexit, which would leave those waiting who share the call: that is why it runs
// on a goroutine of its own.
func recovered[T any](name string, f func() (T, error)) (v T, err error) {
	done := make(chan struct{})
	go func() {
		returned := false
		defer func() {
			if value := recover(); !returned {
				p := &session.PanicError{Func: name, Value: value}
				if value != nil {
					p.Stack = debug.Stack()
				}
				err = p
			}
			close(done)
		}()
		v, err = f()
		returned = true
	}()
	<-done
	return v, err
}

// recoveredErr is recovered for functions without another result.
func recoveredErr(name string, f func() error) error {
	_, err := recovered(name, func() (struct{}, error) { return struct{}{}, f() })
	return err
}
