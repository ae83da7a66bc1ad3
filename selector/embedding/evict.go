package embedding

import (
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// mergeFrom is how many files are left as they are. Every process that embeds something begins one.
	mergeFrom = 32
	// mergeAge is how long nobody must have written to a file that is merged: its writer would append to a removed file.
	mergeAge = time.Hour
)

// evict removes the oldest files until the others are within bounds.
func (d *directory) evict() {
	var total int64
	for _, s := range d.segments {
		total += s.size
	}
	for _, name := range slices.Sorted(maps.Keys(d.segments)) {
		s := d.segments[name]
		if total <= d.max && len(d.segments) <= maxSegments {
			return
		}
		total -= s.size
		d.drop(s) // before it is removed: some systems remove no open file
		_ = d.root.Remove(name)
	}
}

// merge makes one file of many small old ones. Two processes may do it at once, or one may stop halfway: then some vectors are
// there twice until they are evicted.
func (d *directory) merge() {
	files, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return
	}
	var sources []string
	var total int64
	segments := 0
	for _, f := range files {
		info, err := f.Info()
		if err != nil || !f.Type().IsRegular() {
			continue
		}
		old := time.Since(info.ModTime()) > mergeAge
		switch {
		case strings.HasPrefix(f.Name(), partPrefix) && old:
			_ = d.root.Remove(f.Name())
		case isSegment(f.Name()):
			segments++
			if old && total+info.Size() <= d.segmentMax() {
				sources = append(sources, f.Name())
				total += info.Size()
			}
		}
	}
	if segments <= mergeFrom || len(sources) < 2 {
		return
	}
	if err := d.mergeFiles(sources); err != nil {
		d.logger.Warn("embedding: files of Config.Dir cannot be merged", "error", err)
	}
}

func (d *directory) mergeFiles(sources []string) (err error) {
	part := partPrefix + segmentName(time.Now())
	out, err := d.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = d.root.Remove(part)
		}
	}()
	seen := make(map[key]bool)
	for _, name := range sources {
		if err := d.copyRecords(out, name, seen); err != nil {
			out.Close()
			return err
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	// As old as the youngest of them, so that what is evicted first stays first.
	youngest := sources[len(sources)-1]
	name := youngest[:len(youngest)-16] + part[len(part)-16:]
	if err := d.root.Rename(part, name); err != nil {
		return err
	}
	for _, name := range sources {
		_ = d.root.Remove(name)
	}
	return nil
}

func (d *directory) copyRecords(out *os.File, name string, seen map[key]bool) (err error) {
	in, err := d.root.Open(name)
	if err != nil {
		return nil // another process has removed it
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	scanRecords(in, 0, info.Size(), func(k key, offset int64, dims int) {
		if v, ok := readVector(in, offset, k, dims); ok && !seen[k] && err == nil {
			seen[k] = true
			_, err = out.Write(appendRecord(nil, k, v))
		}
	})
	return err
}
