package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A Baseline is what an earlier version of the selector reached: nDCG@10 of each request, by task, to three decimals.
type Baseline map[string][]float64

// ReadBaseline reads a baseline; a file that does not exist is an empty one.
func ReadBaseline(path string) (Baseline, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Baseline{}, nil
	} else if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	b := Baseline{}
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("eval: %s: %w", path, err)
	}
	return b, nil
}

// Write writes b to a file, one task on a line.
func (b Baseline) Write(path string) error {
	var out strings.Builder
	for i, name := range slices.Sorted(maps.Keys(b)) {
		out.WriteString([]string{"{\n", ",\n"}[min(i, 1)])
		fmt.Fprintf(&out, "%q: [", name)
		for k, v := range b[name] {
			if k > 0 {
				out.WriteByte(',')
			}
			out.WriteString(strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64))
		}
		out.WriteByte(']')
	}
	out.WriteString("\n}\n")
	if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}
