package stdio

import (
	"os"
	"sync"
)

// group is the process group that a child leads. Its zero value has no leader and ignores signals.
type group struct {
	// mu is held while a signal is sent and while the leader is reaped, so that no signal is sent to an id that has
	// become free.
	mu     sync.Mutex
	leader *os.Process // nil before lead and after retire
	pid    int
}

func (g *group) lead(leader *os.Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leader, g.pid = leader, leader.Pid
}

// terminate asks the group to end.
func (g *group) terminate() { g.signal(terminateGroup) }

// kill ends the group.
func (g *group) kill() { g.signal(killGroup) }

func (g *group) signal(send func(leader *os.Process)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leader != nil {
		send(g.leader)
	}
}

// retire reaps the leader, which must have exited. No signal is sent afterwards.
func (g *group) retire(reap func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	reap()
	g.leader = nil
}
