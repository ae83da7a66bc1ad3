package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

func ExampleCompile() {
	_, err := schema.Compile(json.RawMessage(`{
		"type": "object",
		"properties": {"who": {"$ref": "https://example.com/person.json"}}
	}`), nil)
	var guard *schema.GuardError
	if errors.As(err, &guard) {
		fmt.Println(guard.Rule, guard.Path)
	}
	// Output: remote-ref /properties/who/$ref
}

func ExampleSchema_Validate() {
	s, err := schema.Compile(json.RawMessage(`{
		"type": "object",
		"properties": {"repo": {"type": "string"}, "page": {"type": "integer", "minimum": 1}},
		"required": ["repo"]
	}`), nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Validate(map[string]any{"repo": "go", "page": 2}))
	err = s.Validate(map[string]any{"page": 0})
	var invalid *schema.ValidationError
	if errors.As(err, &invalid) {
		for _, v := range invalid.Violations {
			fmt.Println(v.Path, v.Message)
		}
	}
	// Output:
	// <nil>
	// /repo is required
	// /page must be at least 1
}

func ExampleSchema_Prune() {
	s, err := schema.Compile(json.RawMessage(`{
		"type": "object",
		"properties": {"title": {"type": "string"}, "body": {"type": "string"}, "assignee": {"type": ["string", "null"]}},
		"required": ["title"]
	}`), nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Prune(map[string]any{"title": "Crash", "body": nil, "assignee": nil}))
	// Output: map[assignee:<nil> title:Crash]
}

func ExampleSchema_HeaderParams() {
	s, err := schema.Compile(json.RawMessage(`{
		"type": "object",
		"properties": {"region": {"type": "string", "x-mcp-header": "Region"}}
	}`), nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(s.HeaderParams())
	// Output: true
}

func ExampleNormalize() {
	args, err := schema.Normalize(`{"id": 9007199254740993}`)
	fmt.Println(args["id"], err)
	_, err = schema.Normalize(`["not", "an", "object"]`)
	fmt.Println(err)
	// Output:
	// 9007199254740993 <nil>
	// schema: the arguments of a tool call must be one JSON object: found array instead
}
