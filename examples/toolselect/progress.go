package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/selector/static"
)

// progress shows how far something is, on a terminal. Elsewhere it writes nothing.
type progress struct {
	out io.Writer // nil if nobody looks

	mu    sync.Mutex // guards drawn, and that one writes at a time
	drawn bool
}

func newProgress(w io.Writer) *progress {
	if file, ok := w.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return &progress{out: w}
		}
	}
	return &progress{}
}

const barWidth = 30

func (p *progress) show(what string, done, total int) {
	if p.out == nil || total == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drawn = true
	filled := barWidth * done / total
	fmt.Fprintf(p.out, "\r\x1b[K%-10s [%s%s] %d of %d", what, strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), done, total)
}

// clear removes what is shown.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		p.drawn = false
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func (p *progress) prompt(text string) {
	if p.out != nil {
		fmt.Fprint(p.out, text)
	}
}

// slowly is the default embedder, which makes the vectors of a catalogue in parts, so that one sees how far it is.
func slowly(p *progress) selector.Embedder { return &embedder{static.Default(), p} }

type embedder struct {
	selector.Embedder
	progress *progress
}

func (e *embedder) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	const part = 128
	vectors := make([][]float32, 0, len(texts))
	for i := 0; i < len(texts); i += part {
		e.progress.show("indexing", i, len(texts))
		more, err := e.Embedder.EmbedDocuments(ctx, texts[i:min(i+part, len(texts))])
		if err != nil {
			return nil, err
		}
		vectors = append(vectors, more...)
	}
	return vectors, nil
}
