package mcpgroup

import (
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxListSize bounds one tool list, in bytes as [sizeOf] counts them. Each answer of a server is bounded already, but a list is a
// hundred of them, and once it is decoded it takes several times as much. Ten thousand ordinary tools take 20 MiB.
const maxListSize = 32 << 20

var errListTooLarge = fmt.Errorf("the list has more than %d MiB; the rest is left out", maxListSize>>20)

// sizeOf returns about how many bytes a page of tools takes.
func sizeOf(tools []*mcp.Tool) (n int) {
	for _, t := range tools {
		if t == nil {
			continue
		}
		n += len(t.Name) + len(t.Title) + len(t.Description) + sizeOfJSON(t.InputSchema) + sizeOfJSON(t.OutputSchema) + sizeOfJSON(map[string]any(t.Meta))
		for _, icon := range t.Icons {
			n += len(icon.Source)
		}
	}
	return n
}

// sizeOfJSON returns about how many bytes v takes as JSON.
func sizeOfJSON(v any) (n int) {
	n = 2
	switch v := v.(type) {
	case string:
		n += len(v)
	case []any:
		for _, item := range v {
			n += 1 + sizeOfJSON(item)
		}
	case map[string]any:
		for name, member := range v {
			n += 4 + len(name) + sizeOfJSON(member)
		}
	}
	return n
}
