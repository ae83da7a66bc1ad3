// Package recovery calls code that is not ours and survives what it does.
package recovery

import (
	"context"
	"runtime/debug"
)

// Call returns what f returns. Where f panics, or calls runtime.Goexit (then value and stack are nil), it returns the error
// that ended makes of it. f runs on a goroutine of its own, since Goexit would otherwise end the caller's.
func Call[T any](f func() (T, error), ended func(value any, stack []byte) error) (T, error) {
	return Await(context.Background(), f, ended)
}

// Await is [Call] that returns the error of ctx as soon as that ends. What ignores ctx goes on in its goroutine, and nobody
// waits for it.
func Await[T any](ctx context.Context, f func() (T, error), ended func(value any, stack []byte) error) (T, error) {
	type outcome struct {
		v   T
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		returned := false
		defer func() {
			if value := recover(); !returned {
				var stack []byte
				if value != nil {
					stack = debug.Stack()
				}
				o.err = ended(value, stack)
			}
			done <- o
		}()
		o.v, o.err = f()
		returned = true
	}()
	select {
	case o := <-done:
		return o.v, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
