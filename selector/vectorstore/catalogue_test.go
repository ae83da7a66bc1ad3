package vectorstore

import (
	"slices"
	"testing"
)

func TestASearchKeepsTheToolsItReads(t *testing.T) {
	c := newCatalogue(true)
	ids := []string{"a", "b", "c"}
	ticket := c.begin(ids)
	c.commit(ticket, "key", ids)
	c.end(ticket, ids)
	reading := c.of("key")
	c.remove([]string{"a"})
	next := c.begin([]string{"d"})
	c.commit(next, "key", []string{"d"})
	if !slices.Equal(reading, ids) {
		t.Errorf("a search that read %q sees %q after a change", ids, reading)
	}
	if got, want := c.of("key"), []string{"b", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("of = %q, want %q", got, want)
	}
}
