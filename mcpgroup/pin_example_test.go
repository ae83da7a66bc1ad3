package mcpgroup_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mcpfleet/mcpfleet/mcpgroup"
)

// A lock file that is closed and empty trusts no server until somebody approves it.
func ExamplePins_SaveFile() {
	dir, err := os.MkdirTemp("", "lock")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "mcp.lock.json")
	if err := (mcpgroup.Pins{Closed: true}).SaveFile(path); err != nil {
		fmt.Println(err)
	}
	content, err := os.ReadFile(path)
	fmt.Print(string(content), err, "\n")
	pins, err := mcpgroup.LoadPins(path)
	fmt.Println(pins.Closed, len(pins.Servers), err)
	// Output:
	// {
	//   "version": 1,
	//   "closed": true,
	//   "servers": {}
	// }
	// <nil>
	// true 0 <nil>
}
