package schema

import (
	"encoding/json"
	"testing"
	"time"

	google "github.com/google/jsonschema-go/jsonschema"
)

const benchSchema = `{"type":"object","properties":{"owner":{"type":"string"},"repo":{"type":"string","minLength":1},` +
	`"page":{"type":"integer","minimum":1}},"required":["owner","repo"],"additionalProperties":false}`

var benchArgs = map[string]any{"owner": "golang", "repo": "go", "page": 3.0}

// BenchmarkValidate compares this package with jsonschema-go, which go-sdk uses, on the same schema and arguments in the
// same run, and prints how many times faster it is.
func BenchmarkValidate(b *testing.B) {
	ours, err := Compile(json.RawMessage(benchSchema), nil)
	if err != nil {
		b.Fatal(err)
	}
	var parsed google.Schema
	if err := json.Unmarshal([]byte(benchSchema), &parsed); err != nil {
		b.Fatal(err)
	}
	theirs, err := parsed.Resolve(nil)
	if err != nil {
		b.Fatal(err)
	}
	compareInOneRun(b,
		func() error { return ours.Validate(benchArgs) },
		func() error { return theirs.Validate(benchArgs) })
}

// BenchmarkCompile compares compiling, the work of listing a server's tools.
func BenchmarkCompile(b *testing.B) {
	var decoded map[string]any
	if err := json.Unmarshal([]byte(benchSchema), &decoded); err != nil {
		b.Fatal(err)
	}
	compareInOneRun(b,
		func() error {
			_, err := Compile(decoded, nil)
			return err
		},
		func() error {
			text, err := json.Marshal(decoded)
			if err != nil {
				return err
			}
			var parsed google.Schema
			if err := json.Unmarshal(text, &parsed); err != nil {
				return err
			}
			_, err = parsed.Resolve(nil)
			return err
		})
}

// BenchmarkPrune compares arguments without any null, the usual case, with arguments that have one to drop.
func BenchmarkPrune(b *testing.B) {
	s, err := Compile(json.RawMessage(benchSchema), nil)
	if err != nil {
		b.Fatal(err)
	}
	withNull := map[string]any{"owner": "golang", "repo": "go", "page": nil}
	compareInOneRun(b,
		func() error { s.Prune(benchArgs); return nil },
		func() error { s.Prune(withNull); return nil })
}

// compareInOneRun measures ours as the benchmark and theirs beside it, in turns of a thousand, so that both see the same
// machine.
func compareInOneRun(b *testing.B, ours, theirs func() error) {
	const turn = 1000
	var oursTime, theirsTime time.Duration
	done := 0
	b.ReportAllocs()
	for b.Loop() {
		if done%turn == 0 {
			b.StopTimer()
			theirsTime += timeOf(b, turn/10, theirs) * 10
			oursTime += timeOf(b, turn/10, ours) * 10
			b.StartTimer()
		}
		done++
		if err := ours(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(theirsTime)/float64(oursTime), "x-as-long-for-the-other")
}

func timeOf(b *testing.B, n int, f func() error) time.Duration {
	start := time.Now()
	for range n {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}
