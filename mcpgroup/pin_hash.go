package mcpgroup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
)

// pinnedFields are the members of a tool that are pinned: all that a model or a host goes by. What else a server sends,
// _meta above all, may change from list to list.
var pinnedFields = []string{"annotations", "description", "icons", "inputSchema", "name", "outputSchema", "title"}

// rawTool is a tool as the server sent it.
type rawTool struct {
	Name string          // original name; empty if it has none
	JSON json.RawMessage // the whole tool
	Err  error           // why JSON cannot be relied on, or nil
}

// hashTool returns the pin of a tool: the SHA-256 of the canonical JSON of its pinned members, and one for each member,
// by which a change can be told without keeping the text. A member that is null counts as absent, as it does for the SDK.
func hashTool(raw json.RawMessage) (ToolPin, error) {
	v, err := parseJSON(raw)
	if err != nil {
		return ToolPin{}, err
	}
	if v.kind != '{' {
		return ToolPin{}, errors.New("a tool must be an object")
	}
	tool, pin := v.pinned(), ToolPin{Fields: map[string]string{}}
	for _, m := range tool.members {
		pin.Fields[m.name] = hashBytes(m.value.appendTo(nil))
	}
	pin.SHA256 = hashBytes(tool.appendTo(nil))
	return pin, nil
}

// pinned returns v with nothing but pinned members, still in canonical order.
func (v jsonValue) pinned() jsonValue {
	tool := jsonValue{kind: '{'}
	for _, m := range v.members {
		for _, field := range pinnedFields {
			if m.name == field && m.value.text != "null" {
				tool.members = append(tool.members, m)
			}
		}
	}
	return tool
}

// hashInstructions returns the pin of a server's instructions, empty if there are none.
func hashInstructions(s string) string {
	if s == "" {
		return ""
	}
	return hashBytes([]byte(s))
}

func hashBytes(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
