package lexical

import "testing"

// Whoever writes a description chooses its n-grams, and their hashes are no secret.
func TestChosenNGramsDoNotCrowdTheTable(t *testing.T) {
	for name, key := range map[string]func(i uint32) uint32{
		"low bits": func(i uint32) uint32 { return i << 16 },
		"in a row": func(i uint32) uint32 { return i },
		"strides":  func(i uint32) uint32 { return i * 12_345 },
	} {
		var grams table[uint32, gramPosting]
		for i := range uint32(20_000) {
			h := key(i)
			if grams.find(h, hashGram(h)) == nil {
				grams.add(h, hashGram(h), same, 1)
			}
		}
		slots, run, longest := *grams.slots.Load(), 0, 0
		for i := range slots {
			if slots[i].Load() == nil {
				run = 0
				continue
			}
			run++
			longest = max(longest, run)
		}
		if longest > 500 {
			t.Errorf("%s: %d taken slots in a row", name, longest)
		}
	}
}
