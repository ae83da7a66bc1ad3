package embedding

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	segmentPrefix = "vectors-"
	partPrefix    = "part-" // a file that has not got its name yet
	// maxSegments bounds the files, each of which every process holds open.
	maxSegments = 256
	// writePause is how long nothing is written after a write failed, such as on a full disk.
	writePause = time.Minute
)

// A directory keeps vectors in files that several processes share. Each process appends to a file of its own and reads those
// of all, so that no lock is needed. Whatever cannot be read is not there. The names of files sort by age.
type directory struct {
	root   *os.Root
	max    int64 // bytes
	logger *slog.Logger

	// mu guards what follows. Files are listed, scanned and written while it is held; their vectors are read without it.
	mu       sync.Mutex
	closed   bool
	segments map[string]*segment
	entries  map[key]entry
	own      *segment  // the one to append to, or nil
	pause    time.Time // nothing is written before
}

type segment struct {
	name    string
	file    *os.File
	size    int64 // of the file
	scanned int64 // how much of it is in entries
}

type entry struct {
	segment *segment
	offset  int64
	dims    int
}

func openDirectory(path string, limit int64, logger *slog.Logger) (*directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("embedding: Config.Dir: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("embedding: Config.Dir: %w", err)
	}
	d := &directory{root: root, max: limit, logger: logger, segments: make(map[string]*segment), entries: make(map[key]entry)}
	d.merge()
	if err := d.refresh(); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("embedding: Config.Dir: %w", err)
	}
	return d, nil
}

// get calls found for each of keys that has a vector. It looks for what other processes have written if one is missing.
func (d *directory) get(keys []key, found func(key, []float32)) {
	entries := make([]entry, len(keys))
	d.mu.Lock()
	if d.lookUp(keys, entries) < len(keys) && !d.closed {
		if err := d.refresh(); err != nil {
			d.logger.Warn("embedding: Config.Dir cannot be read", "error", err)
		}
		d.lookUp(keys, entries)
	}
	d.mu.Unlock()

	var damaged []int
	for i, e := range entries {
		if e.segment == nil {
			continue
		}
		if v, ok := readVector(e.segment.file, e.offset, keys[i], e.dims); ok {
			found(keys[i], v)
		} else {
			damaged = append(damaged, i)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range damaged {
		if d.entries[keys[i]] == entries[i] {
			delete(d.entries, keys[i]) // so that put writes it again
		}
	}
}

func (d *directory) lookUp(keys []key, entries []entry) (n int) {
	for i, k := range keys {
		if e, ok := d.entries[k]; ok {
			entries[i] = e
			n++
		}
	}
	return n
}

// put keeps the vectors that are not nil.
func (d *directory) put(keys []key, vectors [][]float32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || time.Now().Before(d.pause) {
		return
	}
	if err := d.write(keys, vectors); err != nil {
		d.pause = time.Now().Add(writePause)
		if s := d.own; s != nil && s.size == 0 { // a full disk must not fill with empty files
			d.drop(s)
			_ = d.root.Remove(s.name)
		}
		d.retire()
		d.logger.Warn("embedding: vectors cannot be kept in Config.Dir", "again_in", writePause, "error", err)
	}
}

func (d *directory) write(keys []key, vectors [][]float32) error {
	if err := d.refresh(); err != nil { // the file to append to may have been removed by another process
		return err
	}
	var b []byte
	type record struct {
		key    key
		offset int64
		dims   int
	}
	var records []record
	for i, k := range keys {
		if _, there := d.entries[k]; there || vectors[i] == nil {
			continue
		}
		records = append(records, record{k, int64(len(b)), len(vectors[i])})
		b = appendRecord(b, k, vectors[i])
	}
	if len(records) == 0 || int64(len(b)) > d.max {
		return nil
	}
	if d.own == nil {
		if err := d.create(); err != nil {
			return err
		}
	}
	s := d.own
	if _, err := s.file.WriteAt(b, s.size); err != nil {
		_ = s.file.Truncate(s.size) // what is left of the record is damaged, which is a miss
		return err
	}
	for _, r := range records {
		d.entries[r.key] = entry{s, s.size + r.offset, r.dims}
	}
	s.size += int64(len(b))
	s.scanned = s.size
	if s.size >= d.segmentMax() {
		d.retire()
	}
	d.evict()
	return nil
}

// segmentMax is the size from which on another file is begun. Files are evicted whole.
func (d *directory) segmentMax() int64 { return d.max / 8 }

// retire ends appending to the current file, which stays readable.
func (d *directory) retire() { d.own = nil }

func (d *directory) create() error {
	name := segmentName(d.next())
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	d.own = &segment{name: name, file: f}
	d.segments[name] = d.own
	return nil
}

// next returns the time for the name of a file that is to be younger than all others, even if they are of a clock that was ahead.
func (d *directory) next() time.Time {
	next := max(time.Now().UnixNano(), 0) // before 1970 there are no names
	for name := range d.segments {
		if t, err := strconv.ParseInt(name[len(segmentPrefix):][:16], 16, 64); err == nil && t < math.MaxInt64 {
			next = max(next, t+1)
		}
	}
	return time.Unix(0, next)
}

// segmentName returns a name that sorts by t and that nobody else chooses.
func segmentName(t time.Time) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("%s%016x-%s", segmentPrefix, t.UnixNano(), hex.EncodeToString(random[:]))
}

func isSegment(name string) bool {
	return strings.HasPrefix(name, segmentPrefix) && len(name) == len(segmentPrefix)+16+1+16
}

// refresh takes in what has been written and removed since the last time.
func (d *directory) refresh() error {
	files, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(files))
	for _, f := range files {
		if !isSegment(f.Name()) || !f.Type().IsRegular() {
			continue // a pipe would block who opens it
		}
		info, err := f.Info()
		if err != nil {
			continue // removed meanwhile
		}
		s := d.segments[f.Name()]
		if s == nil {
			file, err := d.root.Open(f.Name())
			if err != nil {
				continue
			}
			s = &segment{name: f.Name(), file: file}
			d.segments[s.name] = s
		}
		there[s.name] = true
		if s == d.own {
			continue // scanned as it is written
		}
		s.size = info.Size()
		s.scanned = scanRecords(s.file, s.scanned, s.size, func(k key, offset int64, dims int) {
			d.entries[k] = entry{s, offset, dims}
		})
	}
	for name, s := range d.segments {
		if !there[name] {
			d.drop(s)
		}
	}
	return nil
}

// drop forgets a file that is gone.
func (d *directory) drop(s *segment) {
	for k, e := range d.entries {
		if e.segment == s {
			delete(d.entries, k)
		}
	}
	delete(d.segments, s.name)
	if d.own == s {
		d.own = nil
	}
	s.file.Close()
}

func (d *directory) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, s := range d.segments {
		s.file.Close()
	}
	clear(d.segments)
	clear(d.entries)
	d.own = nil
	return d.root.Close()
}
