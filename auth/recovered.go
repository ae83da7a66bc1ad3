package auth

import (
	"runtime/debug"

	"github.com/mcpfleet/mcpfleet/session"
)

// recovered calls a function of the host's. A panic in it becomes a *session.PanicError that names it, and so does
// runtime.Goexit, which would otherwise end the caller's goroutine: that is why it runs in one of its own.
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
