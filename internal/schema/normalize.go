package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The bounds of [Normalize].
const (
	MaxArgumentBytes = 16 << 20 // of JSON
	MaxArgumentDepth = 128      // nested objects and arrays, the arguments themselves included
)

// An ArgumentsError says why a value cannot be the arguments of a tool call.
type ArgumentsError struct {
	Detail string // never holds a part of the value
}

func (e *ArgumentsError) Error() string {
	return "schema: the arguments of a tool call must be one JSON object: " + e.Detail
}

var errTrailing = errors.New("there is text after the end of the JSON value")

// jsonError keeps what a syntax error says about the place and drops what it quotes.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("invalid JSON near byte %d", syntax.Offset)
	}
	return errors.New("incomplete or invalid JSON")
}

// Normalize brings the arguments of a tool call into the form that [Schema.Validate] and the protocol use.
//
// args is nil or JSON null (no arguments), a map[string]any, a JSON object as json.RawMessage, []byte or string (empty
// text means no arguments, which is how some models spell them), or a value that marshals to a JSON object. The result
// is never nil. A map that holds only values JSON decodes to, such as any Go number type, is returned as it is, not
// copied. Numbers read from text are json.Number, so integers above 2^53 keep their digits.
//
// The error is an *[ArgumentsError].
func Normalize(args any) (map[string]any, error) {
	switch args := args.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		if args == nil {
			return map[string]any{}, nil
		}
		size := MaxArgumentBytes
		switch plain, err := isPlain(args, 0, &size); {
		case err != nil:
			return nil, err
		case plain:
			return args, nil
		}
	case json.RawMessage:
		return fromJSON(args)
	case []byte:
		return fromJSON(args)
	case string:
		if len(args) > MaxArgumentBytes {
			return nil, errTooLarge
		}
		return fromJSON([]byte(args))
	}
	text, err := json.Marshal(args)
	if err != nil {
		return nil, &ArgumentsError{fmt.Sprintf("a %T does not marshal to JSON", args)}
	}
	return fromJSON(text)
}

var (
	errTooLarge = &ArgumentsError{fmt.Sprintf("they are larger than %d bytes", MaxArgumentBytes)}
	errTooDeep  = &ArgumentsError{fmt.Sprintf("they nest deeper than %d levels", MaxArgumentDepth)}
)

func fromJSON(text []byte) (map[string]any, error) {
	if len(text) > MaxArgumentBytes {
		return nil, errTooLarge
	}
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return map[string]any{}, nil
	}
	v, err := decode(text)
	if err != nil {
		return nil, &ArgumentsError{err.Error()}
	}
	switch v := v.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		size := MaxArgumentBytes
		if _, err := isPlain(v, 0, &size); err != nil {
			return nil, err
		}
		return v, nil
	}
	kind, _ := kindOf(v)
	return nil, &ArgumentsError{"found " + strings.ReplaceAll(kind.String(), "integer", "number") + " instead"}
}

// isPlain reports whether v consists of values JSON decodes to. It takes v's approximate size off *size.
func isPlain(v any, depth int, size *int) (bool, error) {
	if *size--; *size < 0 {
		return false, errTooLarge
	}
	switch v := v.(type) {
	case nil, bool:
		return true, nil
	case string:
		if *size -= len(v); *size < 0 {
			return false, errTooLarge
		}
		return true, nil
	case map[string]any:
		if depth >= MaxArgumentDepth {
			return false, errTooDeep
		}
		for name, member := range v {
			*size -= len(name)
			if plain, err := isPlain(member, depth+1, size); !plain {
				return false, err
			}
		}
		return true, nil
	case []any:
		if depth >= MaxArgumentDepth {
			return false, errTooDeep
		}
		for _, item := range v {
			if plain, err := isPlain(item, depth+1, size); !plain {
				return false, err
			}
		}
		return true, nil
	}
	return isNumber(v), nil
}
