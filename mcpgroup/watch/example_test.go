package watch_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
	"github.com/mcpfleet/mcpfleet/mcpgroup/watch"
)

func ExampleFile() {
	dir, err := os.MkdirTemp("", "watch-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "mcp.json")
	save := func(text string) {
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			fmt.Println(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			fmt.Println(err)
		}
	}
	save(`{"mcpServers": {"github": {"url": "https://mcp.example.com/github"}}}`)

	reg, err := mcpgroup.NewRegistry(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reg.Close()
	reloaded := make(chan struct{})
	w, err := watch.File(context.Background(), reg, path, &watch.Options{OnReload: func(diff mcpgroup.Diff, err error) {
		if err != nil {
			fmt.Println("refused:", err)
		} else {
			fmt.Println("added", diff.Added, "updated", diff.Updated, "unchanged", diff.Unchanged)
		}
		reloaded <- struct{}{}
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()
	fmt.Println("servers", reg.Names())

	save(`{"mcpServers": {"github": {"url": "https://mcp.example.com/github"}, "jira": {"url": "https://mcp.example.com/jira"}}}`)
	<-reloaded
	save(`{"mcpServers": {"github": {}}}`)
	<-reloaded
	fmt.Println("servers", reg.Names())
	fmt.Println(w.Status().Attempts, "attempts,", w.Status().Successes, "successes")
	// Output:
	// servers [github]
	// added [jira] updated [] unchanged [github]
	// refused: mcpgroup: mcp.json: mcpServers.github: must specify either "command" (a stdio server) or "url" (an HTTP server)
	// servers [github jira]
	// 3 attempts, 2 successes
}
