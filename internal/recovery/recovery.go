// Package recovery calls code that is not ours and survives what it does.
package recovery

import "runtime/debug"

// Call returns what f returns. Where f panics, or calls runtime.Goexit (then value and stack are nil), it returns the error
// that ended makes of it. f runs on a goroutine of its own, since Goexit would otherwise end the caller's.
func Call[T any](f func() (T, error), ended func(value any, stack []byte) error) (v T, err error) {
	done := make(chan struct{})
	go func() {
		returned := false
		defer func() {
			if value := recover(); !returned {
				var stack []byte
				if value != nil {
					stack = debug.Stack()
				}
				err = ended(value, stack)
			}
			close(done)
		}()
		v, err = f()
		returned = true
	}()
	<-done
	return v, err
}
