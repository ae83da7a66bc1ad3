package embedding

import (
	"context"
	"os"
	"testing"
	"time"
)

// BenchmarkRestart compares finding the vectors of 5,000 texts after a restart with reading the bytes of their file.
//
//	go test -run '^$' -bench Restart ./selector/embedding
func BenchmarkRestart(b *testing.B) {
	const dims = 1536
	dir := b.TempDir()
	texts := numbered(5000)
	vectors := make([][]float32, len(texts))
	for i := range vectors {
		vectors[i] = make([]float32, dims)
		for j := range vectors[i] {
			vectors[i][j] = float32(i + j + 1)
		}
	}
	f := &fake{documents: func(_ context.Context, texts []string) ([][]float32, error) { return vectors[:len(texts)], nil }}
	cfg := &Config{Dir: dir, Model: "m"}
	open := func() *Client {
		c, err := New(f, cfg)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.EmbedDocuments(b.Context(), texts); err != nil {
			b.Fatal(err)
		}
		return c
	}
	open().Close()
	sent := len(f.batches)
	files, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	var plain, ours time.Duration
	for b.Loop() {
		start := time.Now()
		for _, file := range files {
			if _, err := os.ReadFile(dir + "/" + file.Name()); err != nil {
				b.Fatal(err)
			}
		}
		plain += time.Since(start)
		start = time.Now()
		open().Close()
		ours += time.Since(start)
	}
	if len(f.batches) != sent {
		b.Fatalf("%d requests after a restart", len(f.batches)-sent)
	}
	b.ReportMetric(ours.Seconds()/float64(b.N)*1000, "ms/restart")
	b.ReportMetric(float64(ours)/float64(plain), "x-plain-read")
}
