package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A Set is a catalogue of tools and labelled requests for them.
type Set struct {
	Name     string
	Tools    []Tool
	Requests []Request
}

// A Tool is one line of tools.jsonl.
type Tool struct {
	ID                string         `json:"id"`
	Server            string         `json:"server"`
	ServerDescription string         `json:"server_description"`
	Category          string         `json:"category"`
	Name              string         `json:"name"`
	Title             string         `json:"title"`
	Description       string         `json:"description"`
	Schema            map[string]any `json:"input_schema"`
	DependsOn         []Dependency   `json:"depends_on"`
}

// A Dependency names a tool that has to be called before another one.
type Dependency struct {
	Name string `json:"name"`
}

// A Request is one line of queries.jsonl: what a user asks for, and the tools that it takes.
type Request struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	// Groups are the things to be done. Any one of the tools of a group does it.
	Groups [][]string `json:"groups"`
	// Steps are the queries that an agent sends for the request, if the set has them.
	Steps []string `json:"steps"`
	Kind  string   `json:"kind"`
	// Closure is the tools of Groups and all that they need first, if the set declares dependencies.
	Closure []string `json:"with_dependencies"`
}

// ReadSet reads the tools of one file and the requests of another. Requests that name a tool that does not exist are an
// error: a label that nothing can satisfy would lower every figure without a word.
func ReadSet(name, tools, requests string) (*Set, error) {
	set := &Set{Name: name}
	if err := readLines(tools, func(line []byte) error {
		var t Tool
		if err := json.Unmarshal(line, &t); err != nil {
			return err
		}
		set.Tools = append(set.Tools, t)
		return nil
	}); err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(set.Tools))
	for _, t := range set.Tools {
		if known[t.ID] {
			return nil, fmt.Errorf("eval: %s: tool %q occurs twice", tools, t.ID)
		}
		known[t.ID] = true
	}
	if err := readLines(requests, func(line []byte) error {
		var r Request
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		if r.Text == "" || len(r.Groups) == 0 {
			return fmt.Errorf("request %q has no text or no groups", r.ID)
		}
		for _, group := range r.Groups {
			for _, id := range group {
				if !known[id] {
					return fmt.Errorf("request %q names %q, which is no tool of the set", r.ID, id)
				}
			}
		}
		set.Requests = append(set.Requests, r)
		return nil
	}); err != nil {
		return nil, err
	}
	return set, nil
}

// FindSet reads the set in a directory: tools.jsonl with queries.jsonl, or with queries-dev.jsonl if there is none.
func FindSet(dir string) (*Set, error) {
	tools := filepath.Join(dir, "tools.jsonl")
	for _, name := range []string{"queries.jsonl", "queries-dev.jsonl"} {
		requests := filepath.Join(dir, name)
		if _, err := os.Stat(requests); err == nil {
			return ReadSet(filepath.Base(dir), tools, requests)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("eval: %w", err)
		}
	}
	return nil, fmt.Errorf("eval: %s: %w: neither queries.jsonl nor queries-dev.jsonl", dir, os.ErrNotExist)
}

// readLines calls f with every line of a file that is not empty.
func readLines(path string, f func(line []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("eval: %s: %w", path, err)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := f(line); err != nil {
				return fmt.Errorf("eval: %s:%d: %w", path, n, err)
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}
