package stdio

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// stdin is our end of the child's standard input.
type stdin struct {
	p *Process
	f *os.File

	mu      sync.Mutex    // held during a write, which may block for as long as the child lives
	seq     atomic.Uint64 // odd while a write is under way
	written atomic.Int64
}

func (s *stdin) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written.Add(int64(len(b)))
	s.seq.Add(1)
	n, err := s.f.Write(b)
	s.seq.Add(1)
	if err != nil {
		s.written.Add(int64(n - len(b)))
		err = fmt.Errorf("stdio: writing to %q: %w", s.p.command, s.p.cause(err))
	}
	return n, err
}

// current returns the number of the write that is under way, if there is one.
func (s *stdin) current() (n uint64, busy bool) {
	n = s.seq.Load()
	return n, n%2 == 1
}

// Close asks the child to end.
func (s *stdin) Close() error {
	s.p.closing.Store(true)
	s.shut()
	return nil
}

// shut closes the pipe, which also ends a blocked write. It does not take mu for that reason.
func (s *stdin) shut() { s.f.Close() }
