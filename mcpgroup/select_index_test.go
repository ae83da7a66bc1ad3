package mcpgroup

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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

// It must not take a garbage collection to find out: with much memory in use there is none for thousands of views.
func TestDocumentsOfViewsThatAreGoneAreRemoved(t *testing.T) {
	r := newRegistry(t, &RegistryOptions{Selector: &selector.Options{LexicalOnly: true}})
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	ctx := userContext("alice")
	const tools = minDocuments / 4
	sel, err := r.index.start()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
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
	}
	eventually(t, func() bool {
		r.index.mu.Lock()
		defer r.index.mu.Unlock()
		return len(r.index.documents) == sel.Len() && sel.Len() <= minDocuments+tools
	})
	if err := r.Add(ctx, described("changing", [2]string{"tool_1", "Version 1."})); err != nil {
		t.Fatal(err)
	}
	if res := selected(t, r, ctx, "version", nil); res.Of != 1 || len(res.Tools) != 1 {
		t.Errorf("a document that was removed is missing: %v", res)
	}
}

// Many users with tools of their own, one after the other, leave neither views nor documents behind.
func TestUsersWhoHaveGoneAreForgotten(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	cfg, opts := perUser("mine", func(user string) [][2]string {
		return [][2]string{{"list_" + user, "Lists what belongs to " + user + "."}}
	})
	r := newRegistry(t, &RegistryOptions{Options: opts, Selector: &selector.Options{LexicalOnly: true}}, cfg)
	r.fleet.Load().views.most = 1
	for round := range 2 {
		for i := range 2 * minIndexed {
			user := fmt.Sprint("user", i)
			if res := selected(t, r, userContext(user), "list", nil); len(res.Tools) != 1 || res.Tools[0].Name != "list_"+user {
				t.Fatalf("round %d: %s is given %q", round, user, idsOf(res.Tools))
			}
			if n := len(r.index.views); n > minIndexed+1 {
				t.Fatalf("%d views are held", n)
			}
		}
	}
}

// A view whose documents are removed while somebody selects from it would have an empty selection.
func TestAViewInUseKeepsItsDocuments(t *testing.T) {
	r := newRegistry(t, &RegistryOptions{Selector: &selector.Options{LexicalOnly: true}}, office()...)
	ctx := userContext("alice")
	v, _ := r.gather(ctx, nil)
	r.index.hold(v)
	p, sel, err := r.index.part(ctx, r, v, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Add(ctx, local("other", "x")); err != nil { // the fleet that remembers v is gone
		t.Fatal(err)
	}
	sweep := func() {
		r.index.limit, r.index.viewLimit = 0, 0
		r.index.sweep(r, sel)
	}
	sweep()
	q := selector.Query{Text: "send an e-mail", Within: p.subset}
	if found, err := sel.Select(ctx, q); err != nil || found.Of != 7 {
		t.Errorf("while it is held: %+v, %v", found, err)
	}
	r.index.release(v)
	sweep()
	eventually(t, func() bool { return sel.Len() == 0 })
	r.index.hold(v)
	defer r.index.release(v)
	if _, _, err := r.index.part(ctx, r, v, nil); err != nil || sel.Len() != 7 {
		t.Errorf("used again: %d documents, %v", sel.Len(), err)
	}
}

// hostileText panics at one text, and waits for gate at another.
type hostileText struct {
	in, gate chan struct{}
	once     sync.Once
}

func (c *hostileText) Count(text string) int {
	if strings.Contains(text, "poison") {
		panic("what only bob has")
	}
	if strings.Contains(text, "list_shared") {
		c.once.Do(func() {
			close(c.in)
			<-c.gate
		})
	}
	return len(text)
}

// What one user's tools make fail is not told to another who waited for the tools that both have.
func TestAUserIsNotToldWhatOthersFailedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counter := &hostileText{in: make(chan struct{}), gate: make(chan struct{})}
		cfg, opts := perUser("mine", func(user string) [][2]string {
			tools := [][2]string{{"list_shared", "Lists what is shared."}}
			if user == "bob" {
				tools = append(tools, [2]string{"poison", "Is bob's."})
			}
			return tools
		})
		r := newRegistry(t, &RegistryOptions{Options: opts, Selector: &selector.Options{LexicalOnly: true, Counter: counter}}, cfg)
		start := func(user string) chan error {
			done := make(chan error, 1)
			go func() {
				_, err := r.Select(userContext(user), "list", nil)
				done <- err
			}()
			return done
		}
		bob := start("bob")
		<-counter.in
		alice := start("alice")
		synctest.Wait()
		close(counter.gate)
		var crash *session.PanicError
		if err := <-bob; !errors.As(err, &crash) {
			t.Errorf("bob: %v, want the panic", err)
		}
		if err := <-alice; err != nil {
			t.Errorf("alice: %v", err)
		}
	})
}

// An embedder's error may name the URL of a service, with a key in it.
func TestAnEmbeddersSecretsAreNotInTheSelection(t *testing.T) {
	var down atomic.Bool
	errDown := errors.New("Post https://embed.example/v1?key=SECRET: refused")
	e := &fakeEmbedder{fail: func() error {
		if down.Load() {
			return errDown
		}
		return nil
	}}
	r := newRegistry(t, &RegistryOptions{Selector: &selector.Options{Embedder: e}}, office()...)
	selected(t, r, userContext("alice"), "send an e-mail", nil)
	down.Store(true)
	res := selected(t, r, userContext("alice"), "send an e-mail", nil)
	if !errors.Is(res.Degraded, errDown) || strings.Contains(res.Degraded.Error(), "SECRET") {
		t.Errorf("degraded: %v", res.Degraded)
	}
}

// Documents that are embedded later may be anybody's: whose request comes by then must not be known to the embedder.
func TestWhatIsEmbeddedLaterIsNobodysRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &contextEmbedder{}
		r := newRegistry(t, &RegistryOptions{Selector: &selector.Options{Embedder: e}}, office()...)
		selected(t, r, userContext("bob"), "send an e-mail", nil)
		time.Sleep(embedPause + time.Second)
		selected(t, r, userContext("alice"), "send an e-mail", nil)
		synctest.Wait()
		if got, want := slices.Compact(e.users), []string{"bob", ""}; !slices.Equal(got, want) { // what fails may be asked for in parts
			t.Errorf("documents were embedded for %q, want %q", got, want)
		}
	})
}

// contextEmbedder notes for whom it embeds documents, and fails for bob.
type contextEmbedder struct {
	fakeEmbedder
	users []string
}

func (e *contextEmbedder) EmbedDocuments(ctx context.Context, texts []string) ([][]float32, error) {
	key, _ := session.FromContext(ctx)
	if e.users = append(e.users, key.User); key.User == "bob" {
		return nil, errors.New("not now")
	}
	return e.fakeEmbedder.EmbedDocuments(ctx, texts)
}

func TestTheOptionsOfTheSelectorAreCopied(t *testing.T) {
	own := selector.Options{LexicalOnly: true, Counter: fixedCounter(7)}
	r := newRegistry(t, &RegistryOptions{Selector: &own, Results: ResultPolicy{MaxBytes: 4096}}, office()...)
	own.Counter = fixedCounter(1000)
	for i, d := range selected(t, r, userContext("alice"), "send an e-mail", nil).Details {
		if d.Tokens != 7 {
			t.Errorf("tool %d costs %d tokens, want 7", i, d.Tokens)
		}
	}
}

type fixedCounter int

func (c fixedCounter) Count(string) int { return int(c) }
