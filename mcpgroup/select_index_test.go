package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpfleet/mcpfleet/selector"
	"github.com/mcpfleet/mcpfleet/session"
)

func TestSelectionsFollowTheCatalogue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := described("notes", [2]string{"add_note", "Adds a note."})
		r := newRegistry(t, nil, cfg)
		ctx := userContext("alice")
		if res := selected(t, r, ctx, "translate a text", nil); slices.Contains(idsOf(res.Tools), "notes.translate_text") || res.Of != 1 {
			t.Fatalf("selected %q", idsOf(res.Tools))
		}
		describe(cfg.Server, "notes", "translate_text", "Translates a text into another language.")
		eventually(t, func() bool {
			res := selected(t, r, ctx, "translate a text", nil)
			return len(res.Tools) > 0 && res.Tools[0].ID() == "notes.translate_text" && res.Of == 2
		})
		// The same name for something else.
		describe(cfg.Server, "notes", "translate_text", "Waters the flowers.")
		eventually(t, func() bool {
			res := selected(t, r, ctx, "water the flowers", nil)
			return len(res.Tools) > 0 && res.Tools[0].Description == "Waters the flowers."
		})
		cfg.Server.RemoveTools("translate_text")
		eventually(t, func() bool { return selected(t, r, ctx, "water the flowers", nil).Of == 1 })

		if err := r.Add(ctx, described("garden", [2]string{"water_flowers", "Waters the flowers."})); err != nil {
			t.Fatal(err)
		}
		if res := selected(t, r, ctx, "water the flowers", nil); res.Of != 2 || res.Tools[0].ID() != "garden.water_flowers" {
			t.Errorf("after Add selected %q", idsOf(res.Tools))
		}
		if err := r.Remove(ctx, "garden"); err != nil {
			t.Fatal(err)
		}
		if res := selected(t, r, ctx, "water the flowers", nil); res.Of != 1 {
			t.Errorf("after Remove selected %q", idsOf(res.Tools))
		}
	})
}

// Nothing but the tools of the moment is selected while they change, and nobody waits for anybody for ever.
func TestSelectionsDuringChanges(t *testing.T) {
	cfg, opts := perUser("mine", func(user string) [][2]string {
		return [][2]string{{"list_" + user, "Lists what belongs to " + user + "."}, {"shared_report", "Writes a report."}}
	})
	changing := described("changing", [2]string{"tool_0", "Lists version 0."})
	r := newRegistry(t, &RegistryOptions{Options: opts}, append(office(), cfg, changing)...)
	stop := make(chan struct{})
	var changes sync.WaitGroup
	changes.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			describe(changing.Server, "changing", fmt.Sprintf("tool_%d", i%7), fmt.Sprintf("Lists version %d.", i))
			extra := described("extra", [2]string{"list_extra", "Lists extra things."})
			if err := r.Add(t.Context(), extra); err != nil {
				t.Error(err)
			}
			if err := r.Remove(t.Context(), "extra"); err != nil {
				t.Error(err)
			}
		}
	})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			user := fmt.Sprintf("user%d", i%10)
			ctx := userContext(user)
			for range 5 {
				res, err := r.Select(ctx, "list what belongs to "+user, &SelectOptions{MaxTools: 5, TokenBudget: 2000})
				if err != nil {
					t.Error(err)
					return
				}
				for _, tool := range res.Tools {
					if tool.Server == "mine" && tool.Name != "list_"+user && tool.Name != "shared_report" {
						t.Errorf("%s is given %s", user, tool.Name)
					}
				}
				if res.Unavailable["mine"] == nil && !slices.Contains(idsOf(res.Tools), "mine.list_"+user) {
					t.Errorf("%s is given %q", user, idsOf(res.Tools))
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	changes.Wait()
}

// fakeEmbedder has vectors of the first letters of texts, unless fail says otherwise.
type fakeEmbedder struct {
	fail  func() error
	texts atomic.Int64
}

func (e *fakeEmbedder) EmbedDocuments(_ context.Context, texts []string) ([][]float32, error) {
	if e.fail != nil {
		if err := e.fail(); err != nil {
			return nil, err
		}
	}
	e.texts.Add(int64(len(texts)))
	out := make([][]float32, len(texts))
	for i, text := range texts {
		out[i] = letters(text)
	}
	return out, nil
}

func (e *fakeEmbedder) EmbedQuery(ctx context.Context, text string) ([]float32, error) {
	out, err := e.EmbedDocuments(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

func letters(text string) []float32 {
	v := make([]float32, 26)
	for _, c := range strings.ToLower(text) {
		if 'a' <= c && c <= 'z' {
			v[c-'a']++
		}
	}
	return v
}

// An embedder that fails or panics costs vectors and nothing else, and is asked again later.
func TestAnEmbedderThatFailsIsDoneWithout(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no answer from https://embed.example/v1?key=SECRET") },
		"panic": func() error { panic("out of vectors") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				broken.Store(true)
				e := &fakeEmbedder{fail: func() error {
					if broken.Load() {
						return fail()
					}
					return nil
				}}
				r := newRegistry(t, &RegistryOptions{Selector: &selector.Options{Embedder: e}}, office()...)
				ctx := userContext("alice")
				res := selected(t, r, ctx, "open a pull request", nil)
				if len(res.Tools) == 0 || res.Tools[0].ID() != "github.create_pull_request" {
					t.Errorf("selected %q", idsOf(res.Tools))
				}
				broken.Store(false)
				selected(t, r, ctx, "open a pull request", nil)
				synctest.Wait()
				if n := e.texts.Load(); n > 1 {
					t.Errorf("%d texts were embedded at once; the embedder is to be left alone for a while", n)
				}
				time.Sleep(embedPause + time.Second)
				selected(t, r, ctx, "open a pull request", nil)
				synctest.Wait()
				if n := e.texts.Load(); n < 7 {
					t.Errorf("%d texts were embedded, want those of all 7 tools", n)
				}
			})
		})
	}
}

// A text is embedded once, however many users meet it at the same time.
func TestConcurrentFirstSelectionsIndexOnce(t *testing.T) {
	e := &fakeEmbedder{}
	cfg, opts := perUser("mine", func(user string) [][2]string {
		return [][2]string{{"list_" + user, "Lists what belongs to " + user + "."}}
	})
	r := newRegistry(t, &RegistryOptions{Options: opts, Selector: &selector.Options{Embedder: e}}, append(office(), cfg)...)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { selected(t, r, userContext(fmt.Sprint("user", i)), "list", nil) })
	}
	wg.Wait()
	queries := int64(20)
	if n := e.texts.Load() - queries; n > 7+20 {
		t.Errorf("%d texts of documents were embedded, want 27", n)
	}
}

// Who gives up does not take what was begun with them.
func TestASelectionThatIsGivenUpIndexesForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var asked atomic.Int64
		e := &fakeEmbedder{fail: func() error {
			if asked.Add(1) == 1 {
				<-gate
			}
			return nil
		}}
		r := newRegistry(t, &RegistryOptions{Selector: &selector.Options{Embedder: e}}, office()...)
		ctx, cancel := context.WithCancel(userContext("alice"))
		done := make(chan error)
		go func() {
			_, err := r.Select(ctx, "send an email", nil)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		go func() {
			res, err := r.Select(userContext("bob"), "send an email", nil)
			if err == nil && res.Tools[0].ID() != "mail.send_email" {
				err = fmt.Errorf("selected %q", idsOf(res.Tools))
			}
			done <- err
		}()
		synctest.Wait()
		close(gate)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := asked.Load(); n != 2 { // documents once, and bob's query
			t.Errorf("the embedder was asked %d times, want 2", n)
		}
	})
}

// A counter that panics fails the selections that need it, and nothing else.
func TestACounterThatPanicsFailsTheSelectionOnly(t *testing.T) {
	counter := &panickingCounter{}
	r := newRegistry(t, &RegistryOptions{Selector: &selector.Options{LexicalOnly: true, Counter: counter}}, office()...)
	ctx := userContext("alice")
	for range 2 {
		var crash *session.PanicError
		if _, err := r.Select(ctx, "list", nil); !errors.As(err, &crash) {
			t.Errorf("error %v, want the panic", err)
		}
	}
	counter.fine.Store(true)
	if res := selected(t, r, ctx, "list the issues", nil); len(res.Tools) == 0 || res.Details[0].Tokens != 7 {
		t.Errorf("once it works: %v", res)
	}
}

type panickingCounter struct{ fine atomic.Bool }

func (c *panickingCounter) Count(string) int {
	if !c.fine.Load() {
		panic("one too many")
	}
	return 7
}

func TestClosingEndsIndexing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := LoadConfig(t.Context(), &Config{Servers: office()}, &RegistryOptions{Selector: &selector.Options{Embedder: hangingEmbedder{}}})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := r.Select(userContext("alice"), "list", nil)
			done <- err
		}()
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- r.Close() }()
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("error %v, want %v", err, ErrClosed)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// hangingEmbedder answers when nobody waits any more.
type hangingEmbedder struct{}

func (hangingEmbedder) EmbedDocuments(ctx context.Context, _ []string) ([][]float32, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (e hangingEmbedder) EmbedQuery(ctx context.Context, _ string) ([]float32, error) {
	_, err := e.EmbedDocuments(ctx, nil)
	return nil, err
}

func TestDocumentsOfViewsThatAreGoneAreRemoved(t *testing.T) {
	r := newRegistry(t, &RegistryOptions{Selector: &selector.Options{LexicalOnly: true}})
	ctx := userContext("alice")
	const tools = minDocuments / 2
	sel, err := r.index.start()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		var list [][2]string
		for n := range tools {
			list = append(list, [2]string{fmt.Sprintf("tool_%d", n), fmt.Sprintf("Version %d.", i)})
		}
		if err := r.Add(ctx, described("changing", list...)); err != nil {
			t.Fatal(err)
		}
		if res := selected(t, r, ctx, "version", nil); res.Of != tools {
			t.Fatalf("selected %v", res)
		}
		if err := r.Remove(ctx, "changing"); err != nil {
			t.Fatal(err)
		}
		runtime.GC() // which is how a view is found to be gone
	}
	eventually(t, func() bool {
		r.index.mu.Lock()
		defer r.index.mu.Unlock()
		return len(r.index.documents) == sel.Len() && sel.Len() <= 4*tools
	})
	if err := r.Add(ctx, described("changing", [2]string{"tool_1", "Version 1."})); err != nil {
		t.Fatal(err)
	}
	if res := selected(t, r, ctx, "version", nil); res.Of != 1 || len(res.Tools) != 1 {
		t.Errorf("a document that was removed is missing: %v", res)
	}
}
