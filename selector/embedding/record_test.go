package embedding

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

type record struct {
	key    key
	vector []float32
}

// recordsOf reads a file as a directory does.
func recordsOf(b []byte) (records []record, next int64) {
	r := bytes.NewReader(b)
	next = scanRecords(r, 0, int64(len(b)), func(k key, offset int64, dims int) {
		if v, ok := readVector(r, offset, k, dims); ok {
			records = append(records, record{k, v})
		}
	})
	return records, next
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	want := []record{
		{key{1}, []float32{1}},
		{key{2}, []float32{float32(math.Inf(1)), -0.5, math.SmallestNonzeroFloat32}},
		{key{3}, make([]float32, maxDimensions)},
	}
	var b []byte
	for _, r := range want {
		b = appendRecord(b, r.key, r.vector)
	}
	got, next := recordsOf(b)
	if next != int64(len(b)) || !slices.EqualFunc(got, want, func(a, b record) bool { return a.key == b.key && slices.Equal(a.vector, b.vector) }) {
		t.Errorf("read %d records up to %d of %d", len(got), next, len(b))
	}
	for end := range int64(2*headerSize + 20) {
		if got, next := recordsOf(b[:end]); next > end || len(got) > 1 {
			t.Errorf("the first %d bytes hold %d records up to %d", end, len(got), next)
		}
	}
}

// FuzzRecords holds that no file makes the reader panic or read beyond it, and that what is read would be written so.
func FuzzRecords(f *testing.F) {
	one := appendRecord(nil, key{1, 2, 3}, []float32{1, 2, 3})
	f.Add([]byte{})
	f.Add(one)
	f.Add(appendRecord(one, key{4}, []float32{-1}))
	f.Add(one[:len(one)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		records, next := recordsOf(b)
		if next < 0 || next > int64(len(b)) {
			t.Fatalf("stopped at %d of %d", next, len(b))
		}
		for _, r := range records {
			if !bytes.Contains(b, appendRecord(nil, r.key, r.vector)) {
				t.Fatalf("read %v, which is not there", r)
			}
		}
		// What follows damage does not change what came before it.
		again, _ := recordsOf(append(slices.Clip(b[:next]), appendRecord(nil, key{9}, []float32{9})...))
		if len(again) != len(records)+1 || again[len(again)-1].key != (key{9}) {
			t.Fatalf("%d records before, %d after another was appended", len(records), len(again))
		}
	})
}
