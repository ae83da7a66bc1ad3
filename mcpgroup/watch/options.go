package watch

import (
	"log/slog"
	"time"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// Options are the parts of a [Watcher] that can be chosen. nil selects all defaults; the struct is copied.
type Options struct {
	// Debounce is how long the file must be left alone before it is loaded. A file that does not come to rest is loaded
	// after ten times as long. The default is 100 ms; negative means at once.
	Debounce time.Duration
	// Poll is how often the file is read without an event. It is also when a reload is tried again that failed for another
	// reason than what is in the file, such as a required server that could not be reached. The default is 30 s; negative
	// means never, and then File fails where there are no events.
	Poll time.Duration
	// Read says how the file is read; see [mcpgroup.ReadConfig].
	Read *mcpgroup.ConfigOptions
	// Edit may change what was read before it takes effect, for example add the servers that are not in the file: a
	// reload removes every server that is not in the configuration, also those that [mcpgroup.Registry.Add] added. Its
	// error is that of the reload.
	Edit func(*mcpgroup.Config) error
	// OnReload is told of every reload after the one of File itself: what it changed, which is nothing if no server
	// differs, or why nothing has changed. It is called by one goroutine, with the new configuration in effect, and
	// the next reload waits for it. It must not call [Watcher.Close], which would wait for it; ending the context of File
	// stops the watcher as well. A panic in it is logged.
	OnReload func(mcpgroup.Diff, error)
	// Logger receives failed reloads and what the file holds that is not known. nil is silent.
	Logger *slog.Logger
}

const (
	defaultDebounce = 100 * time.Millisecond
	defaultPoll     = 30 * time.Second
	maxDebounces    = 10 // how many times Debounce a file that keeps changing is waited for
)

// Status is a snapshot of a [Watcher].
type Status struct {
	Attempts    int       // to load the file, with the one of File; a file that has not changed is not loaded
	Successes   int       // those of them after which the file was in effect
	LastAttempt time.Time // when the last one began
	LastSuccess time.Time // when the last one that succeeded began
	LastError   error     // why the last attempt failed; nil if it did not
	// Warnings are what the file holds that is not known, as of the last attempt that could read it.
	Warnings []mcpgroup.DocumentProblem
	// NoEvents says why there are no events from some or all of the directories, so that changes are noticed by polling
	// only. It is nil where the system has promised events, which some network file systems do without keeping it.
	NoEvents error
}
