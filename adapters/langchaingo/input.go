package langchaingo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// wrapper is the one parameter that langchaingo's OpenAIFunctionsAgent tells models about, whatever the tool.
const wrapper = "__arg1"

// An inputError says why an input cannot be the arguments of a tool. Its text is for the model.
type inputError string

func (e inputError) Error() string { return string(e) }

// parseArguments reads the arguments of a tool call: nothing, null, a JSON object, or a string that holds one of these,
// since some models encode twice.
func parseArguments(input string) (json.RawMessage, error) {
	s := strings.TrimSpace(input)
	if inner, ok := jsonString(s); ok {
		s = strings.TrimSpace(inner)
	}
	if s == "" || s == "null" {
		return json.RawMessage("{}"), nil
	}
	object, rest, err := leadingObject(s)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, inputError("there is text after the JSON object")
	}
	return object, nil
}

// parseInput reads what an agent that speaks text hands to a tool: arguments as parseArguments takes them, also inside a
// code fence, followed by more text, or wrapped in __arg1; and for a tool with one main argument, its bare value.
func parseInput(input string, schema map[string]any) (json.RawMessage, error) {
	input, _, _ = strings.Cut(input, "\nObservation:") // ReAct models go on to invent the answer
	s := unfence(strings.TrimSpace(input))
	if s == "" || s == "null" {
		return json.RawMessage("{}"), nil
	}
	if !strings.HasPrefix(s, "{") {
		return bareValue(s, schema)
	}
	object, _, err := leadingObject(s)
	if err != nil {
		return nil, err // never sent as a bare value: a slip of the pen must not become the text of a message
	}
	inner, ok := unwrap(object, schema)
	if !ok {
		return object, nil
	}
	if text, ok := jsonString(string(inner)); ok {
		s = unfence(strings.TrimSpace(text))
		if strings.HasPrefix(s, "{") {
			if object, err := parseArguments(s); err == nil {
				return object, nil
			}
		}
		if s == "" || s == "null" {
			return json.RawMessage("{}"), nil
		}
		return bareValue(text, schema)
	}
	if inner[0] == '{' {
		return inner, nil
	}
	return bareValue(string(inner), schema)
}

// unwrap returns the value of __arg1 if that is all there is and the tool has no such property itself.
func unwrap(object json.RawMessage, schema map[string]any) (json.RawMessage, bool) {
	if _, own := properties(schema)[wrapper]; own {
		return nil, false
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil || len(fields) != 1 {
		return nil, false
	}
	inner, ok := fields[wrapper]
	if string(inner) == "null" {
		return json.RawMessage(`""`), ok
	}
	return inner, ok
}

// bareValue makes arguments of a value without a name: it goes to the tool's main argument. A tool without arguments
// ignores it, as models that must write something write "none".
func bareValue(s string, schema map[string]any) (json.RawMessage, error) {
	if len(properties(schema)) == 0 {
		return json.RawMessage("{}"), nil
	}
	name, ok := mainArgument(schema)
	if !ok {
		return nil, inputError("the input is not a JSON object")
	}
	var value any
	property, _ := properties(schema)[name].(map[string]any)
	if types := typesOf(property); len(types) == 0 || slices.Contains(types, "string") {
		value = s
		if text, ok := jsonString(s); ok {
			value = text
		}
	} else if !json.Valid([]byte(s)) {
		return nil, inputError(fmt.Sprintf("the value of %q must be of type %s", name, strings.Join(types, " or ")))
	} else {
		value = json.RawMessage(s)
	}
	return json.Marshal(map[string]any{name: value})
}

// mainArgument is the only required property; without required ones the only property, or else the only string.
func mainArgument(schema map[string]any) (string, bool) {
	props := properties(schema)
	switch required := stringsOf(schema["required"]); len(required) {
	case 0:
	case 1:
		return required[0], true
	default:
		return "", false
	}
	names := slices.Collect(maps.Keys(props))
	if len(names) > 1 {
		names = slices.DeleteFunc(names, func(name string) bool {
			property, _ := props[name].(map[string]any)
			return !slices.Equal(typesOf(property), []string{"string"})
		})
	}
	if len(names) != 1 {
		return "", false
	}
	return names[0], true
}

// leadingObject splits s, which begins with one, into a JSON object and what follows it.
func leadingObject(s string) (object json.RawMessage, rest string, err error) {
	if !strings.HasPrefix(s, "{") {
		return nil, "", inputError("the input is not a JSON object")
	}
	dec := json.NewDecoder(strings.NewReader(s))
	if err := dec.Decode(&object); err != nil {
		var syntax *json.SyntaxError
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
			return nil, "", inputError("the JSON object is cut off")
		case errors.As(err, &syntax):
			return nil, "", inputError(fmt.Sprintf("not valid JSON at byte %d: %s", syntax.Offset, syntax))
		}
		return nil, "", inputError("not valid JSON")
	}
	return object, strings.TrimSpace(s[dec.InputOffset():]), nil
}

// unfence returns the inside of a Markdown code fence that s begins with, or s.
func unfence(s string) string {
	inner, ok := strings.CutPrefix(s, "```")
	if !ok {
		return s
	}
	// The info string ("json") ends with its line; a fence on one line has none unless it is before the object.
	if line, rest, ok := strings.Cut(inner, "\n"); ok && !strings.ContainsAny(line, "{\"") {
		inner = rest
	} else if i := strings.IndexByte(inner, '{'); i >= 0 && isWord(strings.TrimSpace(inner[:i])) {
		inner = inner[i:]
	}
	if end := strings.LastIndex(inner, "```"); end >= 0 {
		inner = inner[:end]
	}
	return strings.TrimSpace(inner)
}

func isWord(s string) bool { return !strings.ContainsAny(s, " \t`\"'") }

// jsonString returns the value of s if it is one JSON string and nothing else.
func jsonString(s string) (string, bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", false
	}
	var text string
	if json.Unmarshal([]byte(s), &text) != nil {
		return "", false
	}
	return text, true
}

// signature shows a tool's arguments in one short line: {"text": string, "limit"?: integer}.
func signature(schema map[string]any, limit int) string {
	props := properties(schema)
	required := stringsOf(schema["required"])
	// Required ones first: they are what a model must not miss if the line is cut.
	names := slices.SortedFunc(maps.Keys(props), func(a, b string) int {
		if ra, rb := slices.Contains(required, a), slices.Contains(required, b); ra != rb {
			if ra {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", name)
		if !slices.Contains(required, name) {
			b.WriteByte('?')
		}
		b.WriteString(": ")
		property, _ := props[name].(map[string]any)
		if types := typesOf(property); len(types) > 0 {
			b.WriteString(strings.Join(types, "|"))
		} else {
			b.WriteString("any")
		}
	}
	b.WriteByte('}')
	return headOnly(b.String(), limit)
}

func properties(schema map[string]any) map[string]any {
	props, _ := schema["properties"].(map[string]any)
	return props
}

// typesOf returns the types a schema allows, or nil if it does not say.
func typesOf(schema map[string]any) []string {
	if t, ok := schema["type"].(string); ok {
		return []string{t}
	}
	return stringsOf(schema["type"])
}

// stringsOf returns the strings of a list as JSON decoding or a literal in Go makes it.
func stringsOf(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
