package schema

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The rules a [GuardError] can name.
const (
	RuleBytes     = "bytes"      // longer than Limits.MaxBytes
	RuleDepth     = "depth"      // nested deeper than Limits.MaxDepth
	RuleNodes     = "nodes"      // more objects and arrays than Limits.MaxNodes
	RuleJSON      = "json"       // not JSON, or a number outside the supported range
	RuleDialect   = "dialect"    // $schema names a dialect that is not supported
	RuleNotObject = "not-object" // the root describes something other than an object
	RuleKeyword   = "keyword"    // a keyword has a value of the wrong shape
	RuleRemoteRef = "remote-ref" // a reference leaves the document
	RuleBadRef    = "bad-ref"    // a reference, $id or anchor that cannot be resolved or is ambiguous
	RuleCycle     = "cycle"      // references lead back to the same subschema for the same value
	RuleExpansion = "expansion"  // more than Limits.MaxNodes subschemas apply to one value
	RulePattern   = "pattern"    // regular expressions that are too large
)

// A GuardError says why [Compile] refused a schema. The schema is unusable; the tool that carries it should be left out
// and the server's other tools kept.
type GuardError struct {
	Rule   string // one of the Rule constants
	Path   string // JSON pointer into the schema, "" for the root; shortened when it is long
	Detail string
}

func (e *GuardError) Error() string {
	at := e.Path
	if at == "" {
		at = "its root"
	}
	return fmt.Sprintf("schema: tool schema refused (%s) at %s: %s", e.Rule, at, e.Detail)
}

func refuse(rule string, at *where, format string, args ...any) *GuardError {
	return &GuardError{Rule: rule, Path: at.pointer(), Detail: fmt.Sprintf(format, args...)}
}

// ErrTooCostly is matched by a [ValidationError] when checking the arguments would have taken more than
// [Limits.MaxCost] steps. The arguments may or may not be valid.
var ErrTooCostly = errors.New("schema: checking the arguments takes too many steps; the tool's schema is too complex for them")

// A Violation is one way in which arguments do not fit.
type Violation struct {
	Path    string // JSON pointer into the arguments, "" for the whole object
	Message string // what is expected there; never holds the value that was found
}

// A ValidationError lists what is wrong with the arguments of a call. It holds at least 1 and at most 16 violations.
// Its text is meant for the model that wrote the arguments: it names fields and expectations, not values.
type ValidationError struct {
	Violations []Violation
	cause      error // nil or ErrTooCostly
}

// Unwrap returns [ErrTooCostly] if the check was given up, else nil.
func (e *ValidationError) Unwrap() error { return e.cause }

func (e *ValidationError) Error() string {
	var b strings.Builder
	b.WriteString("schema: the arguments do not fit the tool's schema: ")
	for i, v := range e.Violations {
		if i > 0 {
			b.WriteString("; ")
		}
		if v.Path != "" {
			b.WriteString(v.Path)
			b.WriteByte(' ')
		}
		b.WriteString(v.Message)
	}
	return b.String()
}

// maxText and maxPointer bound, in bytes, what a schema or an argument name can put into an error.
const (
	maxText    = 200
	maxPointer = 300
)

// clip shortens text that an outsider wrote and replaces what could forge a line or steer a terminal.
func clip(s string, limit int) string {
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = s[:limit] + "..."
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
