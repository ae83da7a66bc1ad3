// Package figures prints what a measurement found next to what was hoped for.
//
// Each program below this directory measures one topic and reports through one [Table]. The output is Markdown, so that
// docs/figures.md holds it verbatim and a reader can tell which machine a figure came from:
//
//	t := figures.New("session")
//	t.Row("acquire of a live session allocates nothing", "0 allocs/op", allocs == 0)
//	t.Note("median of %d runs", runs)
//	t.Exit()
//
// Rows compare two things measured in the same run wherever possible: a ratio survives a slow machine, a duration does not.
package figures

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"
)

// Exit statuses of a figures program. A status of 2 is left to the Go runtime, which uses it for a panic.
//
// "go run" reports every failure as status 1 and names the program's own status on standard error.
const (
	exitOK     = 0
	exitShort  = 1
	exitAbsent = 3
)

// Column widths in runes. Rows are printed one by one, before the widest is known; a longer cell pushes its row out of
// line, which Markdown does not mind.
const (
	goalWidth = 64
	gotWidth  = 36
	okWidth   = 5
)

// A Table collects the rows of one topic and prints each as soon as it is known, so that a program that is killed half
// way has still said what it found. Its methods are safe for concurrent use.
type Table struct {
	topic string
	exit  func(status int)

	// mu guards all below, and keeps the lines of concurrent rows whole.
	mu    sync.Mutex
	w     io.Writer
	notes []string
	ok    int
	short int
}

// New prints the heading of topic and the machine to standard output and returns an empty table.
// The topic is the name of the program's directory and of its make target, without the "figures-" prefix.
func New(topic string) *Table {
	return newTable(os.Stdout, os.Exit, topic, machine())
}

func newTable(w io.Writer, exit func(int), topic, machine string) *Table {
	if topic == "" {
		panic("figures: New: the topic is empty; pass the name of the program's directory")
	}
	fmt.Fprintf(w, "## figures-%s\n\n%s\n\n", topic, machine)
	t := &Table{topic: topic, exit: exit, w: w}
	t.line("goal", "got", "ok")
	t.line(strings.Repeat("-", goalWidth), strings.Repeat("-", gotWidth), strings.Repeat("-", okWidth))
	return t
}

// Row prints one row: what was hoped for, what was measured (with its unit), and whether the one meets the other.
// A row that is not ok reads SHORT and makes [Table.Exit] fail.
func (t *Table) Row(goal, got string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	verdict := "ok"
	if ok {
		t.ok++
	} else {
		t.short++
		verdict = "SHORT"
	}
	t.line(goal, got, verdict)
}

// Note keeps a remark, such as how a figure was measured, for the list below the table. It is held back until
// [Table.Exit] because text between two rows would end the Markdown table.
func (t *Table) Note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.notes = append(t.notes, oneLine(fmt.Sprintf(format, args...)))
}

// Exit prints the notes and the summary line and ends the program: with status 0 if every row is ok, with 1 if one is
// SHORT or if there are no rows, for a program that measured nothing has not met its goals.
func (t *Table) Exit() {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(t.w)
	for _, note := range t.notes {
		fmt.Fprintf(t.w, "- %s\n", note)
	}
	if len(t.notes) > 0 {
		fmt.Fprintln(t.w)
	}
	fmt.Fprintf(t.w, "figures-%s: %d ok, %d SHORT\n", t.topic, t.ok, t.short)
	if t.short > 0 || t.ok == 0 {
		t.exit(exitShort)
		return
	}
	t.exit(exitOK)
}

// Absent prints one line that says what the program needs and does not have, and ends it with status 3: nothing was
// measured, which is neither a success nor a shortfall. what says how to get it too: "MCPFLEET_NPM is not set; run
// .ci/npm DIR and export MCPFLEET_NPM=DIR".
func Absent(what string) {
	absent(os.Stdout, os.Exit, what)
}

func absent(w io.Writer, exit func(int), what string) {
	fmt.Fprintf(w, "figures: absent: %s\n", oneLine(what))
	exit(exitAbsent)
}

// line prints one row of the table. The caller holds t.mu, or is the only one to know t.
func (t *Table) line(goal, got, ok string) {
	fmt.Fprintf(t.w, "| %s | %s | %s |\n", cell(goal, goalWidth), cell(got, gotWidth), cell(ok, okWidth))
}

// cell escapes what would end a cell early and pads s to width runes.
func cell(s string, width int) string {
	s = strings.ReplaceAll(oneLine(s), "|", `\|`)
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}

// machine describes what the figures were measured on.
func machine() string {
	cpu := "unknown CPU"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		cpu = cpuModel(f, cpu)
	}
	return fmt.Sprintf("%s %s/%s, %s, %d cores", runtime.Version(), runtime.GOOS, runtime.GOARCH, cpu, runtime.NumCPU())
}

// cpuModel finds the model in the text of /proc/cpuinfo. ARM kernels name none, so fallback is an ordinary answer.
func cpuModel(r io.Reader, fallback string) string {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		key, value, found := strings.Cut(lines.Text(), ":")
		if value = oneLine(value); found && strings.TrimSpace(key) == "model name" && value != "" {
			return value
		}
	}
	return fallback
}
