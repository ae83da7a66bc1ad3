package mcpgroup

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpfleet/mcpfleet/session"
)

func textResult(texts ...string) *Result {
	res := &mcp.CallToolResult{}
	for _, s := range texts {
		res.Content = append(res.Content, &mcp.TextContent{Text: s})
	}
	return &Result{CallToolResult: res, Attempts: 1}
}

// shownSize is what a model is sent of a result, counted plainly.
func shownSize(t testing.TB, res *Result) int {
	t.Helper()
	n := 0
	for _, c := range res.Content {
		switch c := c.(type) {
		case *mcp.TextContent:
			n += len(c.Text)
		case *mcp.ImageContent:
			n += len(base64.StdEncoding.EncodeToString(c.Data))
		case *mcp.AudioContent:
			n += len(base64.StdEncoding.EncodeToString(c.Data))
		default:
			b, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			if r, ok := c.(*mcp.EmbeddedResource); ok && r.Resource != nil && r.Resource.Blob == nil {
				b = []byte(r.Resource.Text)
			}
			n += len(b)
		}
	}
	if res.StructuredContent != nil {
		b, err := json.Marshal(res.StructuredContent)
		if err != nil {
			t.Fatal(err)
		}
		n += len(b)
	}
	return n
}

var markerPattern = regexp.MustCompile(`\n\[\.\.\. bytes (\d+) to (\d+) of (\d+) are left out, (\d+) bytes\. (.*) \.\.\.\]\n`)

// reassemble puts the head, what is missing and the tail of a shortened text together.
func reassemble(t testing.TB, ctx context.Context, store *ResultStore, text string) string {
	t.Helper()
	m := markerPattern.FindStringSubmatchIndex(text)
	if m == nil {
		return text
	}
	number := func(i int) int {
		n, err := strconv.Atoi(text[m[2*i]:m[2*i+1]])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	from, to, total := number(1), number(2), number(3)
	head, tail := text[:m[0]], text[m[1]:]
	if len(head) != from || len(tail) != total-to || number(4) != to-from {
		t.Fatalf("the marker says %d to %d of %d, the head has %d bytes and the tail %d", from, to, total, len(head), len(tail))
	}
	_, handle, _ := strings.Cut(text[m[0]:m[1]], `handle "`)
	handle, _, _ = strings.Cut(handle, `"`)
	var middle strings.Builder
	for at := from; at < to; {
		page, err := store.ReadResult(ctx, handle, ReadQuery{Offset: at, Length: to - at})
		if err != nil {
			t.Fatal(err)
		}
		if page.From != at || page.Text == "" || !utf8.ValidString(page.Text) || page.Total != total {
			t.Fatalf("read from %d: %+v", at, page)
		}
		middle.WriteString(page.Text)
		at += len(page.Text)
	}
	return head + middle.String() + tail
}

func randomText(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString([]string{"a", "é", "€", "😀", "\n", "word ", `"`, "\\"}[r.IntN(8)])
	}
	return b.String()
}

// Whatever a result holds: it is never over the bound, always valid UTF-8, no text is lost, and nothing else is cut.
func TestShortenedResultsKeepTheBoundAndLoseNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	store := NewResultStore(&ResultStoreOptions{MaxBytesPerUser: 64 << 20})
	ctx := userContext("alice")
	cut := 0
	for round := range 1000 {
		policy := ResultPolicy{MaxBytes: minResultLimit + r.IntN(6000), Keep: Keep(r.IntN(3))}
		if r.IntN(2) == 0 {
			policy = ResultPolicy{MaxTokens: minResultLimit/bytesPerToken + r.IntN(2000), MaxBytes: 1 << 20, Keep: policy.Keep}
		}
		if r.IntN(2) == 0 {
			policy.ReadTool = strings.Repeat("r", maxNameLen)
		}
		res := &mcp.CallToolResult{Meta: mcp.Meta{"k": "v"}, IsError: r.IntN(2) == 0}
		var texts []string
		for range r.IntN(6) {
			n := r.IntN(1 << r.IntN(14))
			switch r.IntN(6) {
			case 0:
				res.Content = append(res.Content, &mcp.ImageContent{Data: make([]byte, n), MIMEType: "image/png"})
			case 1:
				res.Content = append(res.Content, &mcp.AudioContent{Data: make([]byte, n), MIMEType: "audio/wav"})
			case 2:
				res.Content = append(res.Content, &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "file:///b", Blob: make([]byte, n)}})
			case 3:
				text := randomText(r, n)
				texts = append(texts, text)
				res.Content = append(res.Content, &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "file:///a", Text: text}})
			default:
				text := randomText(r, n)
				texts = append(texts, text)
				res.Content = append(res.Content, &mcp.TextContent{Text: text})
			}
		}
		if r.IntN(3) == 0 {
			res.StructuredContent = map[string]any{"text": randomText(r, r.IntN(9000)), "n": 1.5}
			if r.IntN(2) == 0 { // as servers do for older clients
				b, _ := json.Marshal(res.StructuredContent)
				res.Content = append(res.Content, &mcp.TextContent{Text: string(b)})
				texts = append(texts, string(b))
			}
		}
		in := &Result{CallToolResult: res, Attempts: 2, Duration: time.Second}
		before, _ := json.Marshal(res)

		out := policy.Apply(ctx, in, store)
		if after, _ := json.Marshal(res); !bytes.Equal(before, after) {
			t.Fatalf("round %d: the result itself was changed", round)
		}
		size := shownSize(t, out)
		if size > policy.limit() {
			t.Fatalf("round %d: %d bytes are shown, the bound is %d", round, size, policy.limit())
		}
		if out == in {
			continue
		}
		cut++
		if out.Attempts != 2 || out.Duration != time.Second || out.IsError != res.IsError || out.Meta["k"] != "v" {
			t.Fatalf("round %d: the rest of the result was lost: %+v", round, out)
		}
		var all strings.Builder
		for _, c := range out.Content {
			switch c := c.(type) {
			case *mcp.TextContent:
				if !utf8.ValidString(c.Text) {
					t.Fatalf("round %d: not valid UTF-8: %q", round, c.Text)
				}
				all.WriteString(reassemble(t, ctx, store, c.Text))
			case *mcp.EmbeddedResource:
				all.WriteString(c.Resource.Text)
			}
		}
		for _, text := range texts {
			if !strings.Contains(all.String(), text) {
				t.Fatalf("round %d: a text of %d bytes was lost", round, len(text))
			}
		}
		if s, _ := res.StructuredContent.(map[string]any); s != nil && out.StructuredContent == nil {
			want, _ := json.Marshal(s["text"])
			found := strings.Contains(all.String(), `"text":`+string(want))
			if !found {
				t.Fatalf("round %d: structured content was lost", round)
			}
		}
	}
	if cut < 300 {
		t.Errorf("only %d of 1000 results were over the bound", cut)
	}
}

func TestResultsWithinTheBoundAreLeftAlone(t *testing.T) {
	ctx := userContext("alice")
	for _, tt := range []struct {
		policy ResultPolicy
		res    *Result
	}{
		{ResultPolicy{}, textResult(strings.Repeat("x", 1<<20))},
		{ResultPolicy{MaxBytes: 4096}, textResult(strings.Repeat("x", 4000))},
		{ResultPolicy{MaxBytes: 4096, MaxTokens: 1 << 20}, textResult(strings.Repeat("x", 4000))},
		{ResultPolicy{MaxBytes: 4096}, &Result{}},
		{ResultPolicy{MaxBytes: 4096}, textResult()},
	} {
		if got := tt.policy.Apply(ctx, tt.res, nil); got != tt.res {
			t.Errorf("%+v changed a result", tt.policy)
		}
	}
	if got := (ResultPolicy{MaxBytes: 1 << 20, MaxTokens: 1000}).limit(); got != 4000 {
		t.Errorf("the smaller bound is %d, want 4000", got)
	}
	var asks mcp.CallToolResult
	if err := json.Unmarshal([]byte(`{"resultType":"input_required","content":[{"type":"text","text":"`+strings.Repeat("x", 9000)+`"}]}`), &asks); err != nil {
		t.Fatal(err)
	}
	in := &Result{CallToolResult: &asks}
	if !in.NeedsInput() || (ResultPolicy{MaxBytes: 4096}).Apply(ctx, in, nil) != in {
		t.Error("a result that asks for input was changed")
	}
}

func TestKeepSaysWhatStays(t *testing.T) {
	text := "HEAD" + strings.Repeat("x", 9000) + "TAIL"
	for keep, want := range map[Keep][2]bool{KeepHeadAndTail: {true, true}, KeepHead: {true, false}, KeepTail: {false, true}} {
		got := ResultPolicy{MaxBytes: 4096, Keep: keep}.Apply(userContext("alice"), textResult(text), nil).Text()
		if strings.HasPrefix(got, "HEAD") != want[0] || strings.HasSuffix(got, "TAIL") != want[1] || !strings.Contains(got, "They are not kept") {
			t.Errorf("Keep %d: %.10s...%s", keep, got, got[len(got)-10:])
		}
	}
}

func TestImagesAreWholeOrLeftOut(t *testing.T) {
	res := textResult("a chart:")
	small, large := &mcp.ImageContent{Data: make([]byte, 300)}, &mcp.ImageContent{Data: make([]byte, 9000)}
	res.Content = append(res.Content, large, small, &mcp.AudioContent{Data: make([]byte, 9000)})
	out := ResultPolicy{MaxBytes: 4096}.Apply(userContext("alice"), res, nil)
	if len(out.Content) != 3 || out.Content[1] != mcp.Content(small) || !strings.Contains(out.Text(), "1 images, 1 audio clips, 0 others; 24000 bytes") {
		t.Errorf("%d blocks: %s", len(out.Content), out.Text())
	}
}

func TestInvalidResultPoliciesAreRefused(t *testing.T) {
	for _, p := range []ResultPolicy{{MaxBytes: 100}, {MaxBytes: -1}, {MaxTokens: 100}, {MaxTokens: -1}, {Keep: 3}, {Keep: -1}, {ReadTool: strings.Repeat("x", 200)}} {
		if p.Validate() == nil {
			t.Errorf("%+v is valid", p)
		}
		mustPanicWith(t, "mcpgroup: result policy", func() { LimitResults(p, nil) })
	}
	mustPanicWith(t, "must not be negative", func() { NewResultStore(&ResultStoreOptions{TTL: -1}) })
}

func mustPanicWith(t *testing.T, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), want) {
			t.Errorf("panicked with %v, want %q", v, want)
		}
	}()
	fn()
}

func TestLimitResultsLeavesErrorsAlone(t *testing.T) {
	failed := errors.New("failed")
	call := LimitResults(ResultPolicy{MaxBytes: 4096}, nil)(func(context.Context, *CallRequest) (*Result, error) { return nil, failed })
	if res, err := call(t.Context(), &CallRequest{}); res != nil || !errors.Is(err, failed) {
		t.Errorf("%v, %v", res, err)
	}
	long := LimitResults(ResultPolicy{MaxBytes: 4096}, nil)(func(context.Context, *CallRequest) (*Result, error) {
		return textResult(strings.Repeat("x", 9000)), nil
	})
	if res, err := long(t.Context(), &CallRequest{}); err != nil || len(res.Text()) > 4096 {
		t.Errorf("%d bytes, %v", len(res.Text()), err)
	}
}

// S14: a handle of another user answers like one that never was.
func TestResultsAreTheirUsersOwn(t *testing.T) {
	store := NewResultStore(nil)
	alice := session.NewContext(t.Context(), session.Key{Tenant: "acme", User: "alice", Conversation: "1"})
	handle := store.put(alice, "secret")
	if len(handle) < 26 {
		t.Fatalf("the handle has %d characters", len(handle))
	}
	for name, ctx := range map[string]context.Context{
		"another user":   session.NewContext(t.Context(), session.Key{Tenant: "acme", User: "bob"}),
		"another tenant": session.NewContext(t.Context(), session.Key{Tenant: "other", User: "alice"}),
		"nobody":         t.Context(),
	} {
		_, foreign := store.ReadResult(ctx, handle, ReadQuery{})
		_, none := store.ReadResult(ctx, "NOTHING", ReadQuery{})
		if !errors.Is(foreign, ErrResultNotFound) || foreign.Error() != none.Error() {
			t.Errorf("%s: %v, a handle that never was: %v", name, foreign, none)
		}
		if strings.Contains(foreign.Error(), handle) {
			t.Errorf("the error holds the handle: %v", foreign)
		}
	}
	later := session.NewContext(t.Context(), session.Key{Tenant: "acme", User: "alice", Conversation: "2"})
	if page, err := store.ReadResult(later, handle, ReadQuery{}); err != nil || page.Text != "secret" {
		t.Errorf("another conversation: %v, %v", page, err)
	}
	if store.put(t.Context(), "x") != "" {
		t.Error("a result of nobody was kept")
	}
	store.Forget(session.Key{Tenant: "acme", User: "alice", Conversation: "3"})
	if _, err := store.ReadResult(alice, handle, ReadQuery{}); !errors.Is(err, ErrResultNotFound) {
		t.Errorf("after Forget: %v", err)
	}
	if n, bytes := store.Len(); n != 0 || bytes != 0 {
		t.Errorf("%d results of %d bytes are left", n, bytes)
	}
}

func TestTheResultStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewResultStore(&ResultStoreOptions{MaxBytes: 1000, MaxBytesPerUser: 400, MaxPerUser: 3, TTL: time.Minute})
		alice, bob := userContext("alice"), userContext("bob")
		has := func(ctx context.Context, handle string) bool {
			_, err := store.ReadResult(ctx, handle, ReadQuery{})
			return err == nil
		}
		if store.put(alice, strings.Repeat("x", 401)) != "" {
			t.Error("a text over the user's bound was kept")
		}
		first, second, third := store.put(alice, "1"), store.put(alice, "2"), store.put(alice, "3")
		has(alice, first) // so that the second is the least recently used
		fourth := store.put(alice, "4")
		if !has(alice, first) || has(alice, second) || !has(alice, third) || !has(alice, fourth) {
			t.Error("a fourth result did not take the place of the one that was used least recently")
		}
		long := store.put(alice, strings.Repeat("x", 399))
		if n, bytes := store.Len(); n != 2 || bytes != 400 || !has(alice, long) || !has(alice, fourth) {
			t.Errorf("%d results of %d bytes", n, bytes)
		}
		b1 := store.put(bob, strings.Repeat("x", 400))
		if !has(alice, long) || !has(bob, b1) {
			t.Error("one user's result cost another one's although there was room")
		}
		store.put(userContext("carol"), strings.Repeat("x", 400))
		if n, bytes := store.Len(); bytes > 1000 || has(alice, fourth) {
			t.Errorf("%d results of %d bytes", n, bytes)
		}
		time.Sleep(59 * time.Second)
		has(bob, b1)
		time.Sleep(59 * time.Second)
		if n, _ := store.Len(); n != 1 || !has(bob, b1) {
			t.Errorf("%d results are left, want the one that was read", n)
		}
		time.Sleep(time.Minute)
		if has(bob, b1) {
			t.Error("a result outlived its time")
		}
		if len(store.users) != 0 || len(store.entries) != 0 || store.recent.Len() != 0 || store.bytes != 0 {
			t.Errorf("left: %d users, %d entries, %d in the list, %d bytes", len(store.users), len(store.entries), store.recent.Len(), store.bytes)
		}
	})
}

func TestTheResultStoreTakesConcurrentUse(t *testing.T) {
	store := NewResultStore(&ResultStoreOptions{MaxBytes: 5000, MaxBytesPerUser: 2000, MaxPerUser: 5})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ctx := userContext(fmt.Sprint("user", i%4))
			for n := range 300 {
				text := strings.Repeat(fmt.Sprint(i%4), 1+n%700)
				if page, err := store.ReadResult(ctx, store.put(ctx, text), ReadQuery{}); err == nil && page.Text != text {
					t.Errorf("user %d read %.20q", i%4, page.Text)
				}
				if n%100 == 99 {
					store.Forget(session.Key{Tenant: "acme", User: fmt.Sprint("user", i%4)})
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, u := range store.users {
		sum += u.bytes
		if u.bytes > 2000 || u.recent.Len() > 5 || u.recent.Len() == 0 {
			t.Errorf("a user has %d results of %d bytes", u.recent.Len(), u.bytes)
		}
	}
	if _, bytes := store.Len(); bytes != sum || bytes > 5000 {
		t.Errorf("%d bytes, of users %d", bytes, sum)
	}
}
