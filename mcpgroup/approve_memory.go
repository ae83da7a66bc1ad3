package mcpgroup

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/mcpfleet/mcpfleet/session"
)

// approvals remembers what was approved, for a while.
type approvals struct {
	ttl time.Duration // 0: nothing is remembered
	max int

	// mu guards the rest. Nothing that can block runs while it is held.
	mu    sync.Mutex
	byKey map[[sha256.Size]byte]*list.Element
	order list.List // of approval: the oldest first
}

type approval struct {
	key [sha256.Size]byte
	at  time.Time
}

func newApprovals(ttl time.Duration, limit int) *approvals {
	return &approvals{ttl: ttl, max: limit, byKey: map[[sha256.Size]byte]*list.Element{}}
}

// approvalKey is a hash, so that no arguments stay in memory.
func approvalKey(key session.Key, t *Tool, args []byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range [][]byte{
		[]byte(key.Tenant), []byte(key.User), []byte(key.Conversation), []byte(t.Server), []byte(t.OriginalName), args,
	} {
		// The length keeps the parts apart, whatever they hold.
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (a *approvals) has(key [sha256.Size]byte) bool {
	if a.ttl == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expire()
	return a.byKey[key] != nil
}

// add remembers an approval. One that is repeated holds from the last time on.
func (a *approvals) add(key [sha256.Size]byte) {
	if a.ttl == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expire()
	if e := a.byKey[key]; e != nil {
		a.drop(e)
	}
	for a.order.Len() >= a.max {
		a.drop(a.order.Front())
	}
	a.byKey[key] = a.order.PushBack(approval{key, time.Now()})
}

// expire is called with mu held, as is drop.
func (a *approvals) expire() {
	now := time.Now()
	for e := a.order.Front(); e != nil && now.Sub(e.Value.(approval).at) >= a.ttl; e = a.order.Front() {
		a.drop(e)
	}
}

func (a *approvals) drop(e *list.Element) {
	delete(a.byKey, a.order.Remove(e).(approval).key)
}
