package recovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCallSurvivesWhateverTheFunctionDoes(t *testing.T) {
	own := errors.New("own")
	for name, tt := range map[string]struct {
		f    func() (int, error)
		want string
	}{
		"a value":    {func() (int, error) { return 7, nil }, "7 <nil>"},
		"an error":   {func() (int, error) { return 1, own }, "1 own"},
		"a panic":    {func() (int, error) { panic("boom") }, "0 ended with boom"},
		"nil":        {func() (int, error) { panic(nil) }, "0 ended with panic called with nil argument"},
		"the end":    {func() (int, error) { runtime.Goexit(); return 1, nil }, "0 ended with <nil>"},
		"in a defer": {func() (n int, err error) { defer func() { panic("late") }(); return 3, nil }, "0 ended with late"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := Call(tt.f, func(value any, stack []byte) error {
				if value != nil && !bytes.Contains(stack, []byte("recovery_test.go")) {
					t.Errorf("the stack does not show where:\n%s", stack)
				}
				return fmt.Errorf("ended with %v", value)
			})
			if got := fmt.Sprint(v, " ", err); got != tt.want {
				t.Errorf("Call = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNobodyWaitsForWhatIgnoresItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	begun, release, left := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		<-begun
		cancel()
	}()
	v, err := Await(ctx, func() (int, error) {
		defer close(left)
		close(begun)
		<-release
		return 1, nil
	}, func(any, []byte) error { return errors.New("ended") })
	if v != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v; want 0 and the error of the context", v, err)
	}
	close(release)
	<-left
}
