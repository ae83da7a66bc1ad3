package figures

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder stands in for standard output and os.Exit.
type recorder struct {
	strings.Builder
	status int
}

func record(topic string) (*Table, *recorder) {
	r := &recorder{status: -1}
	return newTable(r, func(status int) { r.status = status }, topic, "go1.26 linux/amd64, some CPU, 2 cores"), r
}

func TestTableIsMarkdownWithNotesAndASummaryBelow(t *testing.T) {
	table, out := record("session")
	table.Row("1,000 users dial at once", "12.5 ms", true)
	table.Note("median of %d runs", 5)
	table.Row("no dial is shared by two users", "3 shared", false)
	table.Exit()

	pad := func(s string, n int) string { return fmt.Sprintf("%-*s", n, s) }
	want := strings.Join([]string{
		"## figures-session",
		"",
		"go1.26 linux/amd64, some CPU, 2 cores",
		"",
		"| " + pad("goal", goalWidth) + " | " + pad("got", gotWidth) + " | ok    |",
		"| " + strings.Repeat("-", goalWidth) + " | " + strings.Repeat("-", gotWidth) + " | ----- |",
		"| " + pad("1,000 users dial at once", goalWidth) + " | " + pad("12.5 ms", gotWidth) + " | ok    |",
		"| " + pad("no dial is shared by two users", goalWidth) + " | " + pad("3 shared", gotWidth) + " | SHORT |",
		"",
		"- median of 5 runs",
		"",
		"figures-session: 1 ok, 1 SHORT",
		"",
	}, "\n")
	if got := out.String(); got != want {
		t.Errorf("output:\n%s\nwant:\n%s", got, want)
	}
}

func TestRowIsPrintedBeforeExit(t *testing.T) {
	table, out := record("call")
	before := out.Len()
	table.Row("a goal", "a figure", true)
	if added := out.String()[before:]; !strings.Contains(added, "a figure") {
		t.Errorf("output after Row = %q, want the row without waiting for Exit", added)
	}
}

func TestExitStatus(t *testing.T) {
	for name, test := range map[string]struct {
		rows []bool
		want int
	}{
		"every row ok":         {[]bool{true, true}, 0},
		"one short at the end": {[]bool{true, false}, 1},
		"one short at first":   {[]bool{false, true}, 1},
		"nothing measured":     {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			table, out := record("call")
			for _, ok := range test.rows {
				table.Row("goal", "got", ok)
			}
			table.Exit()
			if out.status != test.want {
				t.Errorf("exit status = %d, want %d; output:\n%s", out.status, test.want, out)
			}
		})
	}
}

func TestAbsentPrintsOneLineAndExitsWithThree(t *testing.T) {
	out := &recorder{}
	absent(out, func(status int) { out.status = status }, "MCPFLEET_NPM is not set;\nrun .ci/npm DIR")
	if want := "figures: absent: MCPFLEET_NPM is not set; run .ci/npm DIR\n"; out.String() != want {
		t.Errorf("output = %q, want %q", out, want)
	}
	if out.status != 3 {
		t.Errorf("exit status = %d, want 3", out.status)
	}
}

func TestCellsCannotBreakTheTable(t *testing.T) {
	table, out := record("call")
	before := out.Len()
	table.Row("a | b\nc", strings.Repeat("x", gotWidth+10), true)
	row := out.String()[before:]
	if got := strings.Count(row, "\n"); got != 1 {
		t.Errorf("row %q has %d lines, want 1", row, got)
	}
	if got := strings.Count(strings.ReplaceAll(row, `\|`, ""), "|"); got != 4 {
		t.Errorf("row %q has %d bare bars, want 4", row, got)
	}
}

func TestCellsAreAlignedByRunesNotBytes(t *testing.T) {
	if plain, micro := cell("12 us", 10), cell("12 µs", 10); len(micro) != len(plain)+1 {
		t.Errorf("cells %q and %q differ in width", plain, micro)
	}
}

func TestConcurrentRowsStayWhole(t *testing.T) {
	table, out := record("call")
	const n = 50
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			table.Row(fmt.Sprintf("goal %d", i), "got", i%2 == 0)
			table.Note("note %d", i)
		})
	}
	wg.Wait()
	table.Exit()
	if want := "figures-call: 25 ok, 25 SHORT\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("summary: output ends %q, want %q", out.String()[max(0, out.Len()-80):], want)
	}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 4 {
			t.Errorf("torn row %q", line)
		}
	}
}

func TestEmptyTopicPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("newTable with an empty topic did not panic")
		}
	}()
	newTable(io.Discard, func(int) {}, "", "machine")
}

func TestCPUModel(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"amd64", "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Intel(R)  Xeon(R) @ 2.00GHz\n", "Intel(R) Xeon(R) @ 2.00GHz"},
		{"arm64 names none", "processor\t: 0\nCPU part\t: 0xd0c\n", "fallback"},
		{"empty name", "model name\t:\n", "fallback"},
		{"empty file", "", "fallback"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := cpuModel(strings.NewReader(test.text), "fallback"); got != test.want {
				t.Errorf("cpuModel = %q, want %q", got, test.want)
			}
		})
	}
}

func TestMachineIsOneLine(t *testing.T) {
	if got := machine(); strings.Contains(got, "\n") || !strings.Contains(got, "cores") {
		t.Errorf("machine() = %q, want one line that counts the cores", got)
	}
}
