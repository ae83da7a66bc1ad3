package mcpgroup

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mcpfleet/mcpfleet/internal/schema"
)

// verbatim are the keywords whose values arguments are checked against or sent as, or that others refer to.
var verbatim = map[string]bool{
	"enum": true, "const": true, "default": true, "pattern": true, "required": true, "dependentRequired": true,
	"type": true, "format": true, "contentEncoding": true, "contentMediaType": true, "x-mcp-header": true,
	"$schema": true, "$vocabulary": true, "$id": true, "id": true, "$anchor": true, "$ref": true,
	"$dynamicAnchor": true, "$dynamicRef": true, "$recursiveAnchor": true, "$recursiveRef": true,
}

// byName are the keywords whose members are schemas, under names that are no keywords.
var byName = map[string]bool{
	"properties": true, "patternProperties": true, "dependentSchemas": true, "dependencies": true, "$defs": true, "definitions": true,
}

// cleanSchema makes a schema fit to be shown to a model: its texts are cleaned as [cleanText] cleans a description, without
// a bound. Texts are titles, descriptions, comments, examples and whatever the specification does not know. The schema
// must have passed the guard; it is not changed, and what needs no cleaning is shared with it.
//
// Names and values (enum, const, default, pattern, ...) stay byte for byte, or a call would fail that the model was told to
// make. One with characters that nobody sees is an error instead: it could carry a text past the person who looks at the
// schema, or be taken for another one, and none of several thousand published tools has any. A carriage return is an
// honest value, such as of a line end.
func cleanSchema(s map[string]any) (map[string]any, error) {
	var c schemaCleaner
	clean, _ := c.members(s, false)
	if c.hidden != "" {
		return nil, fmt.Errorf("%s has characters that nobody sees, and cannot be cleaned without breaking calls", c.hidden)
	}
	return clean, nil
}

type schemaCleaner struct {
	hidden string // the first in order of the names and values that cannot be shown; empty if there are none
}

// members cleans an object: a schema or, with named, schemas by name.
func (c *schemaCleaner) members(o map[string]any, named bool) (map[string]any, bool) {
	own := o
	changed := false
	for name, member := range o {
		c.check("the name", name)
		names, isNames := member.(map[string]any)
		_, isList := member.([]any)
		if verbatim[name] && !named || isList && named { // a list by name is one of dependencies: more names
			c.value(member)
			continue
		}
		var clean any
		var differs bool
		if isNames && byName[name] && !named {
			clean, differs = c.members(names, true)
		} else {
			clean, differs = c.text(member)
		}
		if differs && !changed {
			own, changed = maps.Clone(o), true
		}
		if differs {
			own[name] = clean
		}
	}
	return own, changed
}

// text cleans what is no name and no value, and reports whether that changed it.
func (c *schemaCleaner) text(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		clean := cleanText(v, math.MaxInt)
		return clean, clean != v
	case map[string]any:
		return c.members(v, false)
	case []any:
		own := v
		changed := false
		for i, item := range v {
			clean, differs := c.text(item)
			if differs && !changed {
				own, changed = slices.Clone(v), true
			}
			if differs {
				own[i] = clean
			}
		}
		return own, changed
	}
	return v, false
}

// value checks what must stay as it is.
func (c *schemaCleaner) value(v any) {
	switch v := v.(type) {
	case string:
		c.check("the value", v)
	case []any:
		for _, item := range v {
			c.value(item)
		}
	case map[string]any:
		for name, member := range v {
			c.check("the name", name)
			c.value(member)
		}
	}
}

func (c *schemaCleaner) check(what, s string) {
	visible := strings.ReplaceAll(s, "\r", "")
	if cleanText(visible, math.MaxInt) == visible {
		return
	}
	// The order of a map is not that of the schema: the least is the same every time.
	if hidden := fmt.Sprintf("%s %+.80q", what, s); c.hidden == "" || hidden < c.hidden {
		c.hidden = hidden
	}
}

// shownOutputSchema returns the schema of a tool's results as a model may read it. Nothing is checked against it, so that
// one which cannot be shown is left out, and the tool is not.
func shownOutputSchema(raw any) (map[string]any, error) {
	s, ok := raw.(map[string]any)
	if !ok {
		return nil, nil
	}
	if _, err := schema.Compile(s, &schema.Limits{AnyType: true}); err != nil {
		return nil, err
	}
	return cleanSchema(s)
}
