package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A file of a [FileStore] is named by the SHA-256 of the purpose of its value, and holds
//
//	"mcpf"   4 bytes, so that a foreign file is not taken for a damaged one
//	expiry   8 bytes, milliseconds since 1970, big endian; 0 is never
//	sealed   the value, as a sealer makes it, for purpose and header
//
// The header is part of what is sealed: a changed expiry makes the file unreadable. It is in the clear for the sweep,
// which does not know whose value a file holds and could not open it.
const (
	fileMagic  = "mcpf"
	headerSize = len(fileMagic) + 8
	fileSuffix = ".sealed"
	tempPrefix = "tmp-"
	// tempAge is how old an unfinished file must be before it counts as left behind by a process that has crashed. To
	// write one takes milliseconds.
	tempAge = time.Minute
)

func (s *FileStore) path(purpose string) string {
	sum := sha256.Sum256([]byte(purpose))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:])+fileSuffix)
}

// read returns the value for a purpose, or an error that wraps [ErrNotFound].
func (s *FileStore) read(purpose string) ([]byte, error) {
	path := s.path(purpose)
	s.mu.RLock()
	content, err := os.ReadFile(path)
	s.mu.RUnlock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	expires, ok := parseHeader(content)
	if !ok {
		return nil, fmt.Errorf("%s is not a file of this store, or is damaged: delete it", path)
	}
	value, err := s.seal.open(content[headerSize:], string(content[:headerSize])+purpose)
	switch {
	case errors.Is(err, errOtherKey):
		return nil, fmt.Errorf("%s %w: give NewFileStore that key too, or delete the file", path, err)
	case err != nil:
		return nil, fmt.Errorf("%s %w: put back a copy, or delete the file", path, err)
	case over(expires, time.Now()):
		return nil, ErrNotFound
	}
	return value, nil
}

// write puts the value for a purpose in its place: readers see the old file or the new one.
func (s *FileStore) write(purpose string, value []byte, expires time.Time) (err error) {
	header := makeHeader(expires)
	content := append(header, s.seal.seal(value, string(header)+purpose)...)
	temp, err := s.writeTemp(content)
	if err != nil {
		return err
	}
	if err := s.place(temp, s.path(purpose), expires); err != nil {
		os.Remove(temp) //nolint:errcheck // a leftover is cleaned by the next NewFileStore
		return err
	}
	return s.syncDir()
}

func (s *FileStore) place(temp, path string, expires time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	s.expiring.set(filepath.Base(path), expires)
	s.sweep(time.Now())
	return nil
}

// writeTemp writes a new file that only this user can read, and waits until the disk has it.
func (s *FileStore) writeTemp(content []byte) (path string, err error) {
	f, err := os.CreateTemp(s.dir, tempPrefix+"*") // with mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // a leftover is cleaned by the next NewFileStore
		return "", err
	}
	return f.Name(), nil
}

func (s *FileStore) remove(purpose string) error {
	path := s.path(purpose)
	s.mu.Lock()
	delete(s.expiring, filepath.Base(path))
	err := os.Remove(path)
	s.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.syncDir()
}

// syncDir waits until the disk has the names too. Windows cannot sync a directory, and journals names by itself.
func (s *FileStore) syncDir() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// sweep deletes a few files whose values have expired. s.mu must be held. A file that cannot be deleted now is found
// again by the next NewFileStore.
func (s *FileStore) sweep(now time.Time) {
	for _, name := range s.expiring.due(now) {
		delete(s.expiring, name)
		path := filepath.Join(s.dir, name)
		if expires, ok := readHeader(path); ok && over(expires, now) {
			os.Remove(path) //nolint:errcheck // see above
		}
	}
}

// clean deletes all files that have expired or were never finished, and notes when the others expire.
func (s *FileStore) clean(now time.Time) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(s.dir, entry.Name())
		switch {
		case !entry.Type().IsRegular():
		case strings.HasPrefix(entry.Name(), tempPrefix):
			if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > tempAge {
				err := os.Remove(path)
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		case strings.HasSuffix(entry.Name(), fileSuffix):
			if expires, ok := readHeader(path); ok { // if not, whoever asks for its value hears of it
				s.expiring.set(entry.Name(), expires)
				if over(expires, now) {
					delete(s.expiring, entry.Name())
					if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
						return err
					}
				}
			}
		}
	}
	return nil
}

func makeHeader(expires time.Time) []byte {
	ms := uint64(0)
	if !expires.IsZero() {
		ms = uint64(expires.UnixMilli())
	}
	return binary.BigEndian.AppendUint64([]byte(fileMagic), ms)
}

// parseHeader returns when the value of a file expires; ok is false if it has no header.
func parseHeader(content []byte) (expires time.Time, ok bool) {
	if len(content) < headerSize || string(content[:len(fileMagic)]) != fileMagic {
		return time.Time{}, false
	}
	if ms := binary.BigEndian.Uint64(content[len(fileMagic):headerSize]); ms != 0 {
		expires = time.UnixMilli(int64(ms))
	}
	return expires, true
}

func readHeader(path string) (expires time.Time, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return time.Time{}, false
	}
	defer f.Close()
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(f, header); err != nil {
		return time.Time{}, false
	}
	return parseHeader(header)
}
