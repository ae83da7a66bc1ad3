package mcpgroup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
)

// pinsVersion is the version of the lock file that this package reads and writes.
const pinsVersion = 1

// Pins is the content of a lock file: what the tools of each server were when they were approved, as hashes. The file is
// JSON with its members in a fixed order, so that it can be kept under version control and compared by line.
type Pins struct {
	Version int `json:"version"` // 1
	// Closed means that nothing new is trusted: servers that are not in the file have no tools until they are approved.
	Closed  bool                 `json:"closed,omitempty"`
	Servers map[string]ServerPin `json:"servers"` // by [ServerConfig.Name]
}

// ServerPin is what is pinned of one server.
type ServerPin struct {
	Instructions string             `json:"instructions,omitempty"` // SHA-256 in hex, or empty if there are none
	Tools        map[string]ToolPin `json:"tools"`                  // by the server's name of the tool
}

// ToolPin is what is pinned of one tool.
type ToolPin struct {
	SHA256 string            `json:"sha256"`           // of the canonical JSON of the members below, in hex
	Fields map[string]string `json:"fields,omitempty"` // SHA-256 of each member, in hex; they only tell what changed
}

// LoadPins reads a lock file. If there is none the error wraps [os.ErrNotExist].
func LoadPins(path string) (Pins, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Pins{}, fmt.Errorf("mcpgroup: reading the lock file: %w", err)
	}
	p, err := parsePins(data)
	if err != nil {
		return Pins{}, fmt.Errorf("mcpgroup: lock file %s: %w", path, err)
	}
	return p, nil
}

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// parsePins refuses whatever it does not understand: a misspelt "closed" must not open the file.
func parsePins(data []byte) (Pins, error) {
	if _, err := canonicalJSON(data); err != nil {
		return Pins{}, err
	}
	var p Pins
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return Pins{}, err
	}
	if p.Version != pinsVersion {
		return Pins{}, fmt.Errorf("version is %d; this package reads version %d", p.Version, pinsVersion)
	}
	for server, s := range p.Servers {
		if s.Instructions != "" && !hexSHA256.MatchString(s.Instructions) {
			return Pins{}, fmt.Errorf("servers%s.instructions: not a SHA-256 in lower-case hex", pathMember(server))
		}
		for tool, t := range s.Tools {
			if !hexSHA256.MatchString(t.SHA256) {
				return Pins{}, fmt.Errorf("servers%s.tools%s.sha256: not a SHA-256 in lower-case hex", pathMember(server), pathMember(tool))
			}
		}
	}
	return p, nil
}

// SaveFile writes the lock file with mode 0600. A reader, and a crash at any time, finds either the old content or the
// new one. The directory must exist.
func (p Pins) SaveFile(path string) (err error) {
	p.Version = pinsVersion
	if p.Servers == nil {
		p.Servers = map[string]ServerPin{}
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("mcpgroup: writing the lock file: %w", err)
		}
	}()
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // which sorts the keys of maps
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".mcpfleet-lock-*") // with mode 0600
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, &b); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // the first error is the one to tell
		return err
	}
	if dir, e := os.Open(filepath.Dir(path)); e == nil { // so that the rename survives a crash, where directories can be synced
		dir.Sync() //nolint:errcheck // the content is safe either way
		dir.Close()
	}
	return nil
}
