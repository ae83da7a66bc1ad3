package stdio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// filterAll is the obviously correct twin of filter: it has the whole input at hand.
func filterAll(input []byte, maxLine int) (out []byte, junkLines int64, err error) {
	lines := bytes.SplitAfter(input, []byte("\n"))
	for _, line := range lines {
		text, terminated := bytes.CutSuffix(line, []byte("\n"))
		start := bytes.TrimPrefix(text[:min(len(text), judged)], byteOrderMark)
		switch {
		case isMessage(start, len(text) < judged):
			text = bytes.TrimPrefix(text, byteOrderMark)
			if len(text) > maxLine {
				return append(out, text...), junkLines, &LineTooLongError{Max: maxLine}
			}
			out = append(out, text...)
			if terminated {
				out = append(out, '\n')
			}
		case len(trim(start)) > 0:
			junkLines++
		}
	}
	return out, junkLines, io.EOF
}

// chunks is a reader that returns its input in pieces of the given sizes, over and over.
type chunks struct {
	data  []byte
	sizes []int
	next  int
}

func (c *chunks) Read(b []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	size := c.sizes[c.next%len(c.sizes)]
	c.next++
	n := copy(b[:min(len(b), max(1, size))], c.data)
	c.data = c.data[n:]
	return n, nil
}

func readFiltered(src io.Reader, maxLine int) ([]byte, *junk, error) {
	j := &junk{}
	f := newFilter(src, maxLine, j)
	var out []byte
	b := make([]byte, 1000)
	for {
		n, err := f.Read(b)
		out = append(out, b[:n]...)
		if err != nil {
			return out, j, err
		}
	}
}

func sameAsTwin(t *testing.T, input []byte, maxLine int, src io.Reader) {
	t.Helper()
	want, wantJunk, wantErr := filterAll(bytes.Clone(input), maxLine)
	got, j, err := readFiltered(src, maxLine)
	var tooLong *LineTooLongError
	if errors.As(wantErr, &tooLong) {
		// How much of the long line got through before it was too long depends on the pieces it came in.
		if !errors.As(err, &tooLong) {
			t.Fatalf("error = %v, want a *LineTooLongError", err)
		}
		whole := len(bytes.TrimRight(want, "\n"))
		if !bytes.HasPrefix(want, got) || len(got) > whole {
			t.Fatalf("before the error came %d bytes that are not a part of the input", len(got))
		}
		return
	}
	if err != io.EOF {
		t.Fatalf("error = %v, want io.EOF", err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("input %.300q\n got %.300q\nwant %.300q", input, got, want)
	}
	if j.count() != wantJunk {
		t.Fatalf("junk lines = %d, want %d, of %.300q", j.count(), wantJunk, input)
	}
}

func TestFilterDropsWhatCannotBeAMessage(t *testing.T) {
	for _, tc := range []struct {
		line string
		pass bool
	}{
		{`{"jsonrpc":"2.0","id":1,"result":{}}`, true},
		{" \t{ \"jsonrpc\":\"2.0\"}\r", true},
		{`[{"jsonrpc":"2.0","method":"a"}, {"jsonrpc":"2.0","method":"b"}]`, true},
		{`[ {"jsonrpc":"2.0"} ]`, true},
		{`{"result":{},"jsonrpc":"2.0","id":1}`, true},
		{`{"result":"` + strings.Repeat("x", judged) + `","jsonrpc":"2.0"}`, true},
		{`Starting server on stdio`, false},
		{`[INFO] ready`, false},
		{`[2026-01-01 10:00:00] {"jsonrpc": false}`, false},
		{`{INFO} "jsonrpc"`, false},
		{`{'jsonrpc': '2.0'}`, false},
		{`{"level":"info","msg":"listening"}`, false},
		{`{}`, false},
		{`[]`, false},
		{`{`, false},
		{`"jsonrpc"`, false},
		{"\x1b[32m{\"jsonrpc\":\"2.0\"}\x1b[0m", false},
		{strings.Repeat("x", 3*filterBuffer), false},
	} {
		const after = `{"jsonrpc":"2.0","id":2}` + "\n"
		got, j, err := readFiltered(strings.NewReader(tc.line+"\n"+after), 1<<20)
		if err != io.EOF {
			t.Errorf("%.40q: error = %v, want io.EOF", tc.line, err)
		}
		want := after
		if tc.pass {
			want = tc.line + "\n" + after
		}
		if string(got) != want {
			t.Errorf("%.40q: passed = %.80q, want %.80q", tc.line, got, want)
		}
		if wantJunk := map[bool]int64{false: 1}[tc.pass]; j.count() != wantJunk {
			t.Errorf("%.40q: junk lines = %d, want %d", tc.line, j.count(), wantJunk)
		}
	}
}

func TestFilterRemovesAByteOrderMark(t *testing.T) {
	const message = `{"jsonrpc":"2.0","id":1}` + "\n"
	got, j, _ := readFiltered(iotest.OneByteReader(strings.NewReader("\uFEFF"+message)), 1<<20)
	if string(got) != message || j.count() != 0 {
		t.Errorf("got %q and %d junk lines, want %q and none", got, j.count(), message)
	}
}

func TestFilterDoesNotCountBlankLines(t *testing.T) {
	_, j, _ := readFiltered(strings.NewReader("\n\r\n \t\n"), 100)
	if j.count() != 0 {
		t.Errorf("junk lines = %d, want 0", j.count())
	}
}

func TestFilterAcceptsALineOfTheMaximumAndRefusesOneMore(t *testing.T) {
	for _, maxLine := range []int{100, judged - 1, judged, judged + 1, 2 * filterBuffer} {
		prefix, suffix := `{"jsonrpc":"`, `"}`
		line := func(n int) string { return prefix + strings.Repeat("x", n-len(prefix)-len(suffix)) + suffix + "\n" }
		for _, sizes := range [][]int{{1 << 20}, {1}, {judged}, {7, 4096, 1}} {
			got, _, err := readFiltered(&chunks{data: []byte(line(maxLine)), sizes: sizes}, maxLine)
			if err != io.EOF || string(got) != line(maxLine) {
				t.Errorf("max %d, pieces %v: a line of the maximum: %d bytes, %v", maxLine, sizes, len(got), err)
			}
			_, _, err = readFiltered(&chunks{data: []byte(line(maxLine + 1)), sizes: sizes}, maxLine)
			var tooLong *LineTooLongError
			if !errors.As(err, &tooLong) || tooLong.Max != maxLine {
				t.Errorf("max %d, pieces %v: a line of one more: error = %v", maxLine, sizes, err)
			}
		}
	}
}

func TestFilterErrorIsFinal(t *testing.T) {
	f := newFilter(strings.NewReader(`{"jsonrpc":"2.0"}`+"\n"+`{"jsonrpc":1}`+"\n"), 15, &junk{})
	for range 3 {
		var tooLong *LineTooLongError
		if n, err := f.Read(make([]byte, 100)); n != 0 || !errors.As(err, &tooLong) {
			t.Fatalf("Read = %d, %v, want a *LineTooLongError", n, err)
		}
	}
}

func TestFilterDoesNotStoreWhatItDrops(t *testing.T) {
	j := &junk{}
	f := newFilter(io.LimitReader(endless('x'), 64<<20), 1<<20, j)
	if n, err := f.Read(make([]byte, 10)); n != 0 || err != io.EOF {
		t.Fatalf("Read = %d, %v, want EOF", n, err)
	}
	if held := cap(f.buf) + cap(f.held) + len(j.samples()[0]); held > 2*filterBuffer {
		t.Errorf("%d bytes are held of a dropped line", held)
	}
}

type endless byte

func (e endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e)
	}
	return len(b), nil
}

func TestJunkKeepsTheFirstLinesAndWarnsOnce(t *testing.T) {
	var warned []string
	j := &junk{warn: func(line string) { warned = append(warned, line) }}
	for i := range 20 {
		j.add(fmt.Appendf(nil, "banner\x1b[1m %d %s", i, strings.Repeat("y", 1000)))
	}
	if j.count() != 20 {
		t.Errorf("count = %d, want 20", j.count())
	}
	samples := j.samples()
	if len(samples) != junkSamples || !strings.HasPrefix(samples[4], "banner 4 ") || len(samples[4]) > junkBytes {
		t.Errorf("samples = %.300q", samples)
	}
	if !slices.Equal(warned, samples[:1]) {
		t.Errorf("warned = %.100q, want the first line once", warned)
	}
}

func FuzzFilterAgreesWithItsTwin(f *testing.F) {
	message := `{"jsonrpc":"2.0","id":1}` + "\n"
	f.Add([]byte(message), uint16(100), uint16(1), uint16(3))
	f.Add([]byte("banner\n"+message+"[INFO] x\n"+message), uint16(100), uint16(9), uint16(1))
	f.Add([]byte("\uFEFF"+message), uint16(24), uint16(2), uint16(2))
	f.Add([]byte(`{"a":"`+strings.Repeat("x", judged)+`","jsonrpc":""}`+"\nz"), uint16(judged), uint16(judged), uint16(1))
	f.Add([]byte(strings.Repeat(" ", judged)+message+message), uint16(30), uint16(5000), uint16(1))
	f.Add([]byte(message+`{"jsonrpc":"no line break"}`), uint16(30), uint16(50), uint16(1))
	f.Fuzz(func(t *testing.T, input []byte, maxLine, a, b uint16) {
		sameAsTwin(t, input, int(maxLine), &chunks{data: bytes.Clone(input), sizes: []int{int(a), int(b)}})
		sameAsTwin(t, input, int(maxLine), iotest.DataErrReader(bytes.NewReader(input)))
	})
}

// BenchmarkFilter compares reading through the filter with reading as is, per size of message.
func BenchmarkFilter(b *testing.B) {
	for _, size := range []int{200, 20 << 10} {
		b.Run(fmt.Sprintf("%d bytes", size), func(b *testing.B) {
			message := []byte(`{"jsonrpc":"2.0","id":1,"result":"` + strings.Repeat("x", size) + `"}` + "\n")
			input := bytes.Repeat(message, 1<<20/len(message))
			buf := make([]byte, filterBuffer)
			timed := func(r io.Reader) time.Duration {
				start := time.Now()
				for {
					if _, err := r.Read(buf); err != nil {
						return time.Since(start)
					}
				}
			}
			var plain, filtered time.Duration
			for b.Loop() {
				// Both copy once: a pipe cannot be read without.
				plain += timed(bytes.NewReader(input))
				filtered += timed(newFilter(bytes.NewReader(input), 16<<20, &junk{}))
			}
			b.ReportMetric(float64(filtered.Nanoseconds())/float64(b.N*len(input)/len(message)), "ns/message")
			b.ReportMetric(float64(filtered)/float64(plain), "x-plain")
		})
	}
}
