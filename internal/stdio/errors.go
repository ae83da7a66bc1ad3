package stdio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A StartError reports that the child could not be started. errors.Is works with [exec.ErrNotFound], [fs.ErrNotExist],
// [fs.ErrPermission] and the system's error numbers.
type StartError struct {
	Command string
	Dir     string
	Err     error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("stdio: starting %q: %s", e.Command, e.reason())
}

func (e *StartError) Unwrap() error { return e.Err }

func (e *StartError) reason() string {
	var dirErr error
	if e.Dir != "" {
		_, dirErr = os.Stat(e.Dir)
	}
	switch err := e.Err; {
	case errors.Is(err, errEmptyCommand), errors.Is(err, errBadEnv):
		return err.Error()
	case dirErr != nil:
		return fmt.Sprintf("the working directory %q cannot be used: %v", e.Dir, errors.Unwrap(dirErr))
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		if strings.ContainsAny(e.Command, " \t") {
			return "there is no such program: the command is the program alone, without arguments; those go into the argument list"
		}
		if filepath.Base(e.Command) == e.Command {
			return "there is no such program in PATH: install it, or give its full path"
		}
		return "there is no such file, or the interpreter named in its first line is missing"
	case errors.Is(err, exec.ErrDot):
		return "it was found only in the current directory: write ./ before it if that is meant"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied: it must be an executable file (chmod +x) in a directory this user may enter"
	case errors.Is(err, errNotProgram):
		return "it is not a program for this system: a script needs a first line such as #!/bin/sh"
	default:
		return err.Error()
	}
}

// An ExitError reports that the child ended without being asked to. errors.Is(err, io.EOF) holds for it, since it is
// what ends the child's output.
type ExitError struct {
	Command  string
	ExitCode int       // -1 if a signal ended it, or if the status is not known
	Signal   os.Signal // nil unless a signal ended it
	Stderr   string    // what [Process.StderrTail] returned at the end
	// LeftBehind is true if the child exited while something it had started still held its standard error. That was
	// ended as well.
	LeftBehind bool
	// Unresponsive is true if [Process.InterruptWrite] killed the child because it had stopped reading its input.
	Unresponsive bool
}

func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stdio: %q ", e.Command)
	switch {
	case e.Unresponsive:
		b.WriteString("was killed because it had stopped reading its input")
	case e.Signal != nil:
		fmt.Fprintf(&b, "was ended by a signal (%v)", e.Signal)
	case e.ExitCode < 0:
		b.WriteString("ended, and its exit status was taken by another part of this program")
	default:
		fmt.Fprintf(&b, "exited with status %d", e.ExitCode)
	}
	if e.LeftBehind && e.Signal == nil && !e.Unresponsive {
		b.WriteString(", leaving processes behind, which were ended: a wrapper must exec the server or wait for it")
	}
	if e.Stderr != "" {
		b.WriteString("; its standard error ends with: ")
		b.WriteString(e.Stderr)
	}
	return b.String()
}

// Is reports whether target is [io.EOF].
func (e *ExitError) Is(target error) bool { return target == io.EOF }

// A LineTooLongError reports that the child sent a line longer than Config.MaxLine. Nothing can be read after it.
type LineTooLongError struct {
	Max int // in bytes
}

func (e *LineTooLongError) Error() string {
	return fmt.Sprintf("stdio: the server sent a message of more than %d bytes: raise the limit, or ask it for less", e.Max)
}
