package o200k

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcpfleet/mcpfleet/selector/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newCounter(t testing.TB) tokens.Counter {
	t.Helper()
	c, err := Counter()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ExampleCounter() {
	counter, err := Counter()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(counter.Count("create_pull_request"), counter.Count("Creates a pull request."))
	// Output: 3 5
}

func TestCountsAreThoseOfTheVocabulary(t *testing.T) {
	c := newCounter(t)
	for text, want := range map[string]int{
		"":                             0,
		"hello world":                  2,
		"Hello, world! How are you?":   8,
		"antidisestablishmentarianism": 6,
		"<|endoftext|>":                7, // not the special token
		"日本語のテキスト":                     6,
		`{"type":"object","properties":{"query":{"type":"string","description":"The search query"}},"required":["query"]}`: 25,
	} {
		if got := c.Count(text); got != want {
			t.Errorf("Count(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestLongTextIsCountedInPartsToTheSameSum(t *testing.T) {
	c := newCounter(t).(counter)
	r := rand.New(rand.NewPCG(1, 1))
	words := strings.Fields("the createIssue ( { \"a\":1} 42 naïve 標題 don't ... end.\n")
	var b strings.Builder
	for b.Len() < 3*maxPart {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteString([]string{" ", "  ", "\n", "\t ", ""}[r.IntN(5)])
	}
	want, err := c.codec.Count(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Count(b.String()); got != want {
		t.Errorf("%d bytes in parts count %d, at once %d", b.Len(), got, want)
	}
	// Without a place to cut, each part may cost one more.
	run := strings.Repeat("標", maxPart)
	if got, want := c.Count(run), maxPart; got < want || got > want+3 {
		t.Errorf("a run of %d characters counts %d", want, got)
	}
}

func TestCountIsSafeForConcurrentUse(t *testing.T) {
	c := newCounter(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if n := c.Count("Creates a pull request."); n != 5 {
					t.Errorf("Count = %d, want 5", n)
				}
			}
		})
	}
	wg.Wait()
}

// The bounds are wide: this is text that tools seldom hold. They say that nobody slips much text past a budget.
func TestEstimateIsNeverWildlyLow(t *testing.T) {
	exact, estimate := newCounter(t), tokens.Estimate()
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 3000)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	runes := func(first, last rune) string {
		var b strings.Builder
		for range 500 {
			b.WriteRune(first + r.Int32N(last-first+1))
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"base64":         base64.StdEncoding.EncodeToString(data),
		"base64 in URLs": base64.RawURLEncoding.EncodeToString(data),
		"hexadecimal":    hex.EncodeToString(data),
		"bytes":          string(data),
		"digits":         strings.Repeat("3141592653589793 ", 50),
		"Han":            runes(0x4E00, 0x9FFF),
		"rare Han":       runes(0x3400, 0x4DBF),
		"Han, plane 2":   runes(0x20000, 0x2A6DF),
		"Kana":           runes(0x3041, 0x30FF),
		"Hangul":         runes(0xAC00, 0xD7A3),
		"Cyrillic":       runes(0x410, 0x44F),
		"Arabic":         runes(0x620, 0x64A),
		"Hebrew":         runes(0x5D0, 0x5EA),
		"Devanagari":     runes(0x905, 0x939),
		"Thai":           runes(0xE01, 0xE3A),
		"Greek":          runes(0x391, 0x3C9),
		"Ethiopic":       runes(0x1200, 0x135A),
		"Latin":          runes(0xC0, 0x24F),
		"signs":          runes(0x2000, 0x2BFF),
		"emoji":          runes(0x1F300, 0x1F64F),
		"plane 1":        runes(0x10000, 0x1F0FF),
		"private use":    runes(0xE000, 0xF8FF),
		"letters":        runes('a', 'z'),
		"ASCII":          runes(' ', '~'),
		"German":         "Durchsucht die angegebene Datenbank nach Datensätzen, die der Abfrage entsprechen, und gibt die Ergebnisse seitenweise zurück.",
		"French":         "Recherche dans la base de données indiquée les enregistrements qui répondent aux critères et renvoie les résultats page par page.",
		"Polish":         "Wyszukuje we wskazanej bazie danych rekordy spełniające kryteria zapytania i zwraca wyniki podzielone na strony.",
		"Finnish":        "Etsii määritetystä tietokannasta tietueet, jotka vastaavat hakuehtoja, ja palauttaa tulokset sivuittain.",
		"Russian":        "Ищет в указанной базе данных записи, которые соответствуют условиям запроса, и возвращает результаты постранично.",
		"Chinese":        "在指定的数据库中搜索与查询条件匹配的记录，并返回分页结果。如果没有提供页码，则默认返回第一页的内容。",
		"Japanese":       "指定されたデータベースから検索条件に一致するレコードを検索し、ページ分割された結果を返します。",
		"Korean":         "지정된 데이터베이스에서 검색 조건과 일치하는 레코드를 찾아 페이지로 나눈 결과를 반환합니다.",
		"Hindi":          "निर्दिष्ट डेटाबेस में उन अभिलेखों को खोजता है जो खोज की शर्तों से मेल खाते हैं और परिणाम पृष्ठों में लौटाता है।",
	} {
		is, guess := exact.Count(text), estimate.Count(text)
		ratio := float64(guess) / float64(is)
		t.Logf("%-15s exact %4d, estimated %4d: %.2f", name, is, guess, ratio)
		if ratio < .6 || ratio > 2.6 {
			t.Errorf("%s: estimated %d, exact %d: out of 0.6 to 2.6 times", name, guess, is)
		}
	}
}

// Without spaces such text is taken for data. With them it looks like words, of which a token holds many more letters.
func TestNonsenseCountsAThirdAtLeast(t *testing.T) {
	exact, estimate := newCounter(t), tokens.Estimate()
	r := rand.New(rand.NewPCG(1, 1))
	for _, letters := range []string{"abcdefghijklmnopqrstuvwxyz", "qxzjvkwb", "aeiouqxz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcXYZ", "etaoin"} {
		for n := 1; n < 20; n++ {
			for _, before := range []string{" ", "_", " A"} {
				var b strings.Builder
				for b.Len() < 2000 {
					b.WriteString(before)
					for range n {
						b.WriteByte(letters[r.IntN(len(letters))])
					}
				}
				is, guess := exact.Count(b.String()), estimate.Count(b.String())
				if ratio := float64(guess) / float64(is); ratio < .3 || ratio > 2.6 {
					t.Errorf("%d of %s behind %q: estimated %d, exact %d", n, letters, before, guess, is)
				}
			}
		}
	}
}

func TestEstimateIsWithinAFewPercentForTools(t *testing.T) {
	exact, estimate := newCounter(t), tokens.Estimate()
	tools := sampleTools(t)
	sumExact, sumEstimate := 0, 0
	for _, text := range tools {
		is, guess := exact.Count(text), estimate.Count(text)
		sumExact += is
		sumEstimate += guess
		if off := float64(guess)/float64(is) - 1; off < -.15 || off > .15 {
			t.Errorf("estimated %d, exact %d (%+.0f %%): %s", guess, is, 100*off, text)
		}
	}
	off := float64(sumEstimate)/float64(sumExact) - 1
	t.Logf("%d tools: exact %d, estimated %d (%+.1f %%)", len(tools), sumExact, sumEstimate, 100*off)
	if off < -.04 || off > .04 {
		t.Errorf("the sum is off by %.1f %%", 100*off)
	}
}

// sampleTools are in the manner of well-known servers.
func sampleTools(t *testing.T) []string {
	str := func(description string) map[string]any {
		return map[string]any{"type": "string", "description": description}
	}
	object := func(properties map[string]any, required ...any) map[string]any {
		return map[string]any{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": properties, "required": required, "additionalProperties": false}
	}
	var out []string
	for _, tool := range []struct {
		name, description string
		schema            map[string]any
	}{
		{"create_issue", "Creates an issue in a repository. The caller must have write access.", object(map[string]any{
			"owner": str("Owner of the repository"), "repo": str("Name of the repository"), "title": str("Title of the issue"),
			"body": str("Text of the issue, in Markdown"), "labels": map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
		}, "owner", "repo", "title")},
		{"queryDatabase", "Run a read-only SQL query.\n\nReturns at most 1,000 rows as JSON; use LIMIT and OFFSET to page through more. Example: `SELECT id, name FROM users WHERE created_at > '2024-01-01'`", object(map[string]any{
			"sql": str("The SQL statement"), "timeoutMs": map[string]any{"type": "integer", "minimum": 1.0, "maximum": 60000.0, "default": 5000.0, "description": "Timeout in milliseconds"},
		}, "sql")},
		{"get-weather-forecast", "Get the weather forecast for a place", object(map[string]any{
			"latitude":  map[string]any{"type": "number", "minimum": -90.0, "maximum": 90.0},
			"longitude": map[string]any{"type": "number", "minimum": -180.0, "maximum": 180.0},
			"units":     map[string]any{"type": "string", "enum": []any{"metric", "imperial"}, "default": "metric"},
		}, "latitude", "longitude")},
		{"browser_click", "Click on an element of the page", object(map[string]any{
			"element": str("Human-readable description of the element, used to ask for permission to interact with it"),
			"ref":     str("Exact reference of the element, from the page snapshot"), "doubleClick": map[string]any{"type": "boolean", "description": "Whether to click twice"},
		}, "element", "ref")},
		{"list_invoices", "Lists the invoices of a customer, newest first. Amounts are in the smallest unit of the currency (cents for EUR and USD).", object(map[string]any{
			"customer_id": str("ID of the customer, such as cus_9s6XKzkNRiz8i3"), "status": map[string]any{"type": "string", "enum": []any{"draft", "open", "paid", "uncollectible", "void"}},
			"starting_after": str("Cursor: ID of the last invoice of the page before"), "limit": map[string]any{"type": "integer", "default": 10.0},
		}, "customer_id")},
		{"ping", "", map[string]any{"type": "object"}},
	} {
		text, err := tokens.Function(tool.name, tool.description, tool.schema)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	return out
}

func BenchmarkEstimateAgainstExact(b *testing.B) {
	text := strings.Repeat("Creates an issue in a repository. The caller must have write access. ", 20)
	counters := [2]tokens.Counter{newCounter(b), tokens.Estimate()}
	var took [2]time.Duration
	sum := 0
	for b.Loop() {
		for i, c := range counters {
			start := time.Now()
			sum += c.Count(text)
			took[i] += time.Since(start)
		}
	}
	b.ReportMetric(float64(took[0])/float64(took[1]), "exact/estimate")
	b.ReportMetric(float64(b.N*len(text))/1e6/took[0].Seconds(), "exact-MB/s")
	b.ReportMetric(float64(b.N*len(text))/1e6/took[1].Seconds(), "estimate-MB/s")
	if sum == 0 {
		b.Error("nothing was counted")
	}
}
