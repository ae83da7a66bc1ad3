package stdio

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

var (
	errEmptyCommand = errors.New("the command is empty: name the program to start")
	errBadEnv       = errors.New("bad environment variable")
)

// inherited are the variables a child gets from us: what a program needs to find its way, and nothing that is likely to
// hold a secret. The lists are those of the official TypeScript and Python SDKs of MCP.
var inherited = map[bool][]string{
	false: {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"},
	true: {
		"APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATH", "PROCESSOR_ARCHITECTURE", "PROGRAMFILES",
		"SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "USERNAME", "USERPROFILE",
	},
}[runtime.GOOS == "windows"]

// environ returns the child's environment, sorted. It is never nil, which os/exec would take for "inherit everything".
func environ(added map[string]string) ([]string, error) {
	env := make([]string, 0, len(inherited)+len(added))
	for _, name := range inherited {
		v, ok := os.LookupEnv(name)
		// Old versions of bash export functions as values that start with "()"; those are code.
		if !ok || strings.HasPrefix(v, "()") || has(added, name) {
			continue
		}
		env = append(env, name+"="+v)
	}
	for _, name := range slices.Sorted(maps.Keys(added)) {
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			return nil, fmt.Errorf("%w: the name %q is empty or contains '=' or a zero byte", errBadEnv, name)
		case strings.ContainsRune(added[name], 0):
			return nil, fmt.Errorf("%w: the value of %q contains a zero byte", errBadEnv, name)
		}
		env = append(env, name+"="+added[name])
	}
	slices.Sort(env)
	return env, nil
}

// has reports whether env sets name. Windows does not tell upper from lower case in names.
func has(env map[string]string, name string) bool {
	_, ok := value(env, name)
	return ok
}

func value(env map[string]string, name string) (string, bool) {
	if v, ok := env[name]; ok || runtime.GOOS != "windows" {
		return v, ok
	}
	for n, v := range env {
		if strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

// lookPath finds a program in the PATH it is going to run with. os/exec looks only in ours.
func lookPath(command string, env map[string]string) (string, error) {
	if command == "" {
		return "", errEmptyCommand
	}
	if filepath.Base(command) != command {
		return command, nil // a path, resolved by the system from the child's working directory
	}
	path, ok := value(env, "PATH")
	if !ok {
		return exec.LookPath(command)
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // as in os/exec, what lies in the current directory is not found by accident
		}
		if found, err := exec.LookPath(filepath.Join(dir, command)); err == nil {
			return found, nil
		}
	}
	return "", exec.ErrNotFound
}
