package embedding

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// processVariable makes the test binary a process that embeds into the directory it names.
const processVariable = "MCPFLEET_EMBEDDING_TEST_DIR"

// process embeds 200 texts, ten at a time, and prints how many it sent.
func process() int {
	f := &fake{}
	c, err := New(f, &Config{Dir: os.Getenv(processVariable), Model: "m"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer c.Close()
	for texts := range slices.Chunk(numbered(200), 10) {
		vectors, err := c.EmbedDocuments(context.Background(), texts)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for i, text := range texts {
			if !slices.Equal(vectors[i], vectorOf("document "+text)) {
				fmt.Fprintln(os.Stderr, "wrong vector for", text)
				return 1
			}
		}
	}
	fmt.Println(len(f.sent()))
	return 0
}

func TestARestartEmbedsNothingAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "vectors")
	texts := numbered(250)
	for run, want := range []int{250, 0, 0} {
		f := &fake{}
		c := newClient(t, f, &Config{Dir: dir, Model: "m"})
		vectors, err := c.EmbedDocuments(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		checkVectors(t, texts, vectors)
		if got := len(f.sent()); got != want {
			t.Errorf("run %d sent %d texts, want %d", run, got, want)
		}
		if got := c.Stats().Hits; got != uint64(250-want) {
			t.Errorf("run %d: Stats().Hits = %d, want %d", run, got, 250-want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnotherModelHasOtherVectors(t *testing.T) {
	dir := t.TempDir()
	for _, cfg := range []Config{{Model: "a"}, {Model: "b"}, {Model: "a", Dimensions: 4}} {
		f := &fake{}
		cfg.Dir = dir
		if _, err := newClient(t, f, &cfg).EmbedDocuments(t.Context(), []string{"a"}); err != nil || len(f.sent()) != 1 {
			t.Errorf("%+v: sent %q, %v", cfg, f.sent(), err)
		}
	}
}

func TestWhatOthersFailedForIsKept(t *testing.T) {
	dir := t.TempDir()
	texts := numbered(40)
	broken := &fake{documents: func(_ context.Context, texts []string) ([][]float32, error) {
		if texts[0] == "text 20" {
			return nil, errDown
		}
		return nil, nil
	}}
	c := newClient(t, broken, &Config{Dir: dir, Model: "m", BatchSize: 10, Retries: -1, Cooldown: -1})
	vectors, err := c.EmbedDocuments(t.Context(), texts)
	if !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	checkVectors(t, texts, vectors, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29)
	f := &fake{}
	if _, err := newClient(t, f, &Config{Dir: dir, Model: "m"}).EmbedDocuments(t.Context(), texts); err != nil || len(f.sent()) != 10 {
		t.Errorf("the repetition sent %q, %v", f.sent(), err)
	}
}

func TestTwoClientsSeeWhatTheOtherEmbeds(t *testing.T) {
	dir := t.TempDir()
	fs := [2]*fake{{}, {}}
	var cs [2]*Client
	for i, f := range fs {
		cs[i] = newClient(t, f, &Config{Dir: dir, Model: "m"})
	}
	for i, text := range numbered(20) {
		for _, c := range []*Client{cs[i%2], cs[1-i%2]} {
			if _, err := c.EmbedDocuments(t.Context(), []string{text}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a, b := len(fs[0].sent()), len(fs[1].sent()); a != 10 || b != 10 {
		t.Errorf("the clients sent %d and %d texts, want 10 each", a, b)
	}
}

func TestProcessesShareADirectory(t *testing.T) {
	dir := t.TempDir()
	run := func() string {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), processVariable+"="+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("process: %v: %s", err, &stderr)
		}
		return strings.TrimSpace(string(out))
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { run() })
	}
	wg.Wait()
	if got := run(); got != "0" {
		t.Errorf("a process after the others sent %s texts, want 0", got)
	}
}

func TestFilesAreTheOwnersAndHoldNoTexts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vectors")
	c := newClient(t, &fake{}, &Config{Dir: dir, Model: "m"})
	if _, err := c.EmbedDocuments(t.Context(), []string{"a confidential text"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.EmbedQuery(t.Context(), "a confidential query"); err != nil {
		t.Fatal(err)
	}
	files := segmentsOf(t, dir)
	if len(files) != 1 {
		t.Fatalf("files: %q", files)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || bytes.Contains(b, []byte("confidential")) || int64(len(b)) != recordSize(4) {
		t.Errorf("the file holds %q, %v", b, err)
	}
	if runtime.GOOS == "windows" {
		return // its permissions are other ones
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700 | fs.ModeDir, files[0]: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
}

func TestDamageIsAMiss(t *testing.T) {
	texts := numbered(5)
	size := int(recordSize(4))
	for name, test := range map[string]struct {
		damage  func(b []byte) []byte
		missing int
	}{
		"torn":            {func(b []byte) []byte { return b[:len(b)-1] }, 1},
		"torn header":     {func(b []byte) []byte { return b[:4*size+10] }, 1},
		"floats":          {func(b []byte) []byte { b[2*size-6] ^= 1; return b }, 1},
		"floats checksum": {func(b []byte) []byte { b[2*size-1] ^= 1; return b }, 1},
		"header":          {func(b []byte) []byte { b[size+10] ^= 1; return b }, 4},
		"empty":           {func([]byte) []byte { return nil }, 5},
		"text":            {func([]byte) []byte { return []byte(strings.Repeat("hello", 100)) }, 5},
		"zeros":           {func(b []byte) []byte { clear(b); return b }, 5},
		"swapped floats": {func(b []byte) []byte {
			one, two := b[headerSize:size], b[size+headerSize:2*size]
			for i := range one {
				one[i], two[i] = two[i], one[i]
			}
			return b
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := newClient(t, &fake{}, &Config{Dir: dir, Model: "m"})
			if _, err := c.EmbedDocuments(t.Context(), texts); err != nil {
				t.Fatal(err)
			}
			file := segmentsOf(t, dir)[0]
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, test.damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, want := range []int{test.missing, 0} {
				f := &fake{}
				c := newClient(t, f, &Config{Dir: dir, Model: "m"})
				for range 2 {
					vectors, err := c.EmbedDocuments(t.Context(), texts)
					if err != nil {
						t.Fatal(err)
					}
					checkVectors(t, texts, vectors)
				}
				if got := len(f.sent()); got != want {
					t.Errorf("sent %d texts, want %d", got, want)
				}
			}
		})
	}
}

func TestStrangeFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	strange := segmentName(time.Now())
	if err := os.Mkdir(filepath.Join(dir, strange), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vectors-", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		c := newClient(t, &fake{}, &Config{Dir: dir, Model: "m", MaxDirBytes: 1})
		if _, err := c.EmbedDocuments(t.Context(), []string{"a"}); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
		t.Errorf("%d files are left, %v", len(files), err)
	}
}

func TestTheOldestVectorsGoFirst(t *testing.T) {
	dir := t.TempDir()
	limit := 40 * recordSize(4)
	c := newClient(t, &fake{}, &Config{Dir: dir, Model: "m", MaxDirBytes: limit})
	texts := numbered(200)
	for _, text := range texts {
		if _, err := c.EmbedDocuments(t.Context(), []string{text}); err != nil {
			t.Fatal(err)
		}
		if got := sizeOf(t, dir); got > limit {
			t.Fatalf("%d bytes are kept, more than %d", got, limit)
		}
	}
	f := &fake{}
	c = newClient(t, f, &Config{Dir: dir, Model: "m", MaxDirBytes: limit})
	if _, err := c.EmbedDocuments(t.Context(), texts[170:]); err != nil || len(f.sent()) != 0 {
		t.Errorf("%d of the last 30 texts are lost, %v", len(f.sent()), err)
	}
}

func TestAClockThatGoesBackDoesNotStopTheCache(t *testing.T) {
	dir := t.TempDir()
	limit := 8 * recordSize(4)
	embed := func(text string) Stats {
		c := newClient(t, &fake{}, &Config{Dir: dir, Model: "m", MaxDirBytes: limit})
		if _, err := c.EmbedDocuments(t.Context(), []string{text}); err != nil {
			t.Fatal(err)
		}
		return c.Stats()
	}
	for i := range 8 {
		embed(fmt.Sprint(i))
	}
	for i, file := range segmentsOf(t, dir) { // as if they had been written in a year's time
		future := segmentName(time.Now().Add(365*24*time.Hour + time.Duration(i)))
		if err := os.Rename(file, filepath.Join(dir, future)); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"new", "newer", "newest"} {
		embed(text)
		if s := embed(text); s.Hits != 1 {
			t.Errorf("%s is not kept", text)
		}
	}
	if s := embed("7"); s.Hits != 1 || sizeOf(t, dir) > limit {
		t.Errorf("the youngest of the files before is gone, or %d bytes are more than %d", sizeOf(t, dir), limit)
	}
}

func TestAFileThatAnotherProcessRemovedIsWrittenNoMore(t *testing.T) {
	dir := t.TempDir()
	var removed error
	remove := &fake{documents: func(_ context.Context, texts []string) ([][]float32, error) {
		if texts[0] == "b" {
			removed = os.Remove(segmentsOf(t, dir)[0])
		}
		return nil, nil
	}}
	c := newClient(t, remove, &Config{Dir: dir, Model: "m"})
	for _, text := range []string{"a", "b"} {
		if _, err := c.EmbedDocuments(t.Context(), []string{text}); err != nil {
			t.Fatal(err)
		}
	}
	if removed != nil {
		t.Skip("this system removes no open file:", removed)
	}
	f := &fake{}
	_, err := newClient(t, f, &Config{Dir: dir, Model: "m"}).EmbedDocuments(t.Context(), []string{"a", "b"})
	if err != nil || !slices.Equal(f.sent(), []string{"a"}) {
		t.Errorf("sent %q, %v, want only a", f.sent(), err)
	}
}

func TestManySmallOldFilesBecomeOne(t *testing.T) {
	dir := t.TempDir()
	texts := numbered(mergeFrom + 10)
	for _, text := range texts {
		c := newClient(t, &fake{}, &Config{Dir: dir, Model: "m"})
		if _, err := c.EmbedDocuments(t.Context(), []string{text}); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	files := segmentsOf(t, dir)
	if len(files) != len(texts) {
		t.Fatalf("%d files, want one for each run", len(files))
	}
	part := filepath.Join(dir, partPrefix+segmentName(time.Now()))
	if err := os.WriteFile(part, []byte("left over"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * mergeAge)
	for _, file := range append(files[:len(files)-1], part) { // the last one may still be written to
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
	}
	f := &fake{}
	c := newClient(t, f, &Config{Dir: dir, Model: "m"})
	vectors, err := c.EmbedDocuments(t.Context(), texts)
	if err != nil || len(f.sent()) != 0 {
		t.Errorf("sent %q, %v", f.sent(), err)
	}
	checkVectors(t, texts, vectors)
	left := segmentsOf(t, dir)
	if all, err := os.ReadDir(dir); err != nil || len(left) != 2 || len(all) != 2 {
		t.Errorf("%d files are left, want 2; %v", len(all), err)
	}
}

func TestADirectoryThatCannotBeWrittenIsReadAllTheSame(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("permissions do not stop this user")
	}
	dir := t.TempDir()
	if _, err := newClient(t, &fake{}, &Config{Dir: dir, Model: "m"}).EmbedDocuments(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700) // or the test's directory cannot be removed
	var log bytes.Buffer
	f := &fake{}
	c := newClient(t, f, &Config{Dir: dir, Model: "m", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 2 {
		if _, err := c.EmbedDocuments(t.Context(), []string{"a", "b"}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(f.sent(), []string{"b", "b"}) || strings.Count(log.String(), "cannot be kept") != 1 {
		t.Errorf("sent %q, log: %s", f.sent(), &log)
	}
}

func TestAFileInPlaceOfTheDirectoryIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(&fake{}, &Config{Dir: file, Model: "m"}); err == nil || !strings.HasPrefix(err.Error(), "embedding: Config.Dir: ") {
		t.Errorf("New = %v", err)
	}
}

func TestManyGoroutinesShareManyClientsOfOneDirectory(t *testing.T) {
	dir := t.TempDir()
	limit := 60 * recordSize(4)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			c, err := New(&fake{}, &Config{Dir: dir, Model: "m", MaxDirBytes: limit, BatchSize: 7})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for i := range 15 {
				texts := numbered(100)[(g*7+i*11)%80:][:20]
				vectors, err := c.EmbedDocuments(t.Context(), texts)
				if err != nil {
					t.Error(err)
					return
				}
				checkVectors(t, texts, vectors)
			}
		})
	}
	wg.Wait()
}

func segmentsOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, segmentPrefix+"*-*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func sizeOf(t *testing.T, dir string) (total int64) {
	t.Helper()
	for _, file := range segmentsOf(t, dir) {
		if info, err := os.Stat(file); err == nil {
			total += info.Size()
		}
	}
	return total
}

func TestAFailedWriteLeavesNoFileBehind(t *testing.T) {
	dir := t.TempDir()
	c := newClient(t, &fake{}, &Config{Dir: dir, Model: "m"})
	for i := range 3 { // as on a full disk, where a file can be made and not be written
		if err := c.dir.create(); err != nil {
			t.Fatal(err)
		}
		c.dir.own.file.Close()
		if _, err := c.EmbedDocuments(t.Context(), []string{fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		c.dir.pause = time.Time{}
	}
	if files := segmentsOf(t, dir); len(files) > 0 || len(c.dir.segments) > 0 {
		t.Errorf("%d files are left, %d are open", len(files), len(c.dir.segments))
	}
}
