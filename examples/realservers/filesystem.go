package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/session"
)

// A picture of one transparent pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// filesystem lets each user work in a directory of their own. The directory is an environment variable of the user's
// process, which a shell hands to the server as its argument.
func filesystem(_ context.Context, in install, temp string) (*server, error) {
	home := func(user string) string { return filepath.Join(temp, user) }
	for _, user := range users {
		if err := furnish(home(user), user); err != nil {
			return nil, fmt.Errorf("realservers: preparing the files of %s: %w", user, err)
		}
	}
	return &server{
		name: "filesystem", host: newHost(), revision: "2025-11-25",
		config: mcpgroup.ServerConfig{
			Name:    "filesystem",
			Command: "/bin/sh", Args: []string{"-c", `exec "$0" "$1" "$USER_FILES"`, in.node, in.filesystem},
		},
		env: func(_ context.Context, key session.Key) (map[string]string, error) {
			return map[string]string{"USER_FILES": home(key.User)}, nil
		},
		arguments: func(tool, user string) map[string]any { return fileArguments(tool, home(user)) },
		mayRefuse: func(string) bool { return false },
		verify: func(ctx context.Context, user string, g *mcpgroup.MCPFunctionGroup) error {
			for _, other := range users {
				if other != user {
					if err := stranger(ctx, g, filepath.Join(home(other), "notes.txt")); err != nil {
						return err
					}
				}
			}
			return changed(home(user))
		},
	}, nil
}

func furnish(dir, user string) error {
	image, err := base64.StdEncoding.DecodeString(pixel)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"notes.txt": "notes of " + user + "\n",
		"edit.txt":  "one\ntwo\n",
		"move.txt":  "on its way\n",
		"pixel.png": string(image),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func fileArguments(tool, dir string) map[string]any {
	file := func(name string) string { return filepath.Join(dir, name) }
	switch tool {
	case "read_file", "read_text_file", "get_file_info":
		return map[string]any{"path": file("notes.txt")}
	case "read_media_file":
		return map[string]any{"path": file("pixel.png")}
	case "read_multiple_files":
		return map[string]any{"paths": []string{file("notes.txt"), file("pixel.png")}}
	case "write_file":
		return map[string]any{"path": file("written.txt"), "content": "written\n"}
	case "edit_file":
		return map[string]any{"path": file("edit.txt"), "edits": []map[string]any{{"oldText": "two", "newText": "three"}}}
	case "create_directory":
		return map[string]any{"path": file("made")}
	case "move_file":
		return map[string]any{"source": file("move.txt"), "destination": file("moved.txt")}
	case "list_directory", "list_directory_with_sizes", "directory_tree":
		return map[string]any{"path": dir}
	case "search_files":
		return map[string]any{"path": dir, "pattern": "*.txt"}
	}
	return nil
}

// changed reports what the tools should have done to the files and did not.
func changed(dir string) error {
	for name, want := range map[string]string{
		"written.txt": "written\n", "edit.txt": "one\nthree\n", "moved.txt": "on its way\n",
	} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			return fmt.Errorf("%s holds %q, want %q (%v)", name, got, want, err) //nolint:errorlint // may be nil
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "move.txt")); err == nil {
		return errors.New("move.txt is still there")
	}
	if info, err := os.Stat(filepath.Join(dir, "made")); err != nil || !info.IsDir() {
		return fmt.Errorf("the directory made is not there (%v)", err) //nolint:errorlint // may be nil
	}
	return nil
}

// stranger checks that a user's server does not read another user's file.
func stranger(ctx context.Context, g *mcpgroup.MCPFunctionGroup, file string) error {
	res, err := g.Call(ctx, "read_text_file", map[string]any{"path": file})
	if err != nil {
		return err
	}
	if !res.IsError {
		return fmt.Errorf("the server read a file of another user: %q", res.Text())
	}
	return nil
}
