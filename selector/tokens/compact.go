package tokens

// A Compacted is a tool made smaller.
type Compacted struct {
	Description string
	Schema      map[string]any // shares what did not change with the original; must not be changed
	// Lost says what was left out, one sentence for each kind of thing, such as "12 of 40 values of enum at
	// /properties/country". Places are JSON Pointers into the original schema (RFC 6901).
	Lost   []string
	Tokens int // of [Function]
}

// Compact makes a tool smaller until [Function] of it counts no more than target tokens, and reports whether it does. With
// a target of 0 it makes the tool as small as it can, and reports whether that is smaller than it was. Either way the
// result can be used, and costs no more than the original.
//
// The tool can be called as before: whatever the original schema accepts the compact one accepts and the other way round,
// but for values of enums that are left out, which Lost and the description of the enum both tell. Nothing is left out of a
// schema but annotations ($schema, $comment, title, examples, deprecated, defaults, and ends of descriptions), $defs that
// are not used, and values of long enums. The input is not changed. The result is the same whenever the input is.
func Compact(name, description string, schema map[string]any, target int, c Counter) (Compacted, bool) {
	var buf []byte
	count := func(description string, schema map[string]any) (tokens int, ok bool) {
		b, err := AppendFunction(buf[:0], name, description, schema)
		if err != nil {
			return 0, false
		}
		buf = b
		return c.Count(string(b)), true
	}
	was, ok := count(description, schema)
	best := Compacted{Description: description, Schema: schema, Tokens: was}
	if !ok || target > 0 && was <= target {
		return best, ok
	}
	from := 0
	if target <= 0 {
		from = len(levels) - 1
	}
	s := shrinker{survey: surveyOf(schema)}
	for _, l := range levels[from:] {
		s.level, s.lost = l, losses{}
		short, whole := cut(squeeze(description), l.tool)
		try := Compacted{Description: short, Schema: s.root(schema)}
		if try.Tokens, ok = count(try.Description, try.Schema); ok && try.Tokens < best.Tokens {
			if try.Lost = s.lost.sentences(); !whole {
				try.Lost = append([]string{"end of the description of the tool"}, try.Lost...)
			}
			best = try
		}
		if target > 0 && best.Tokens <= target {
			return best, true
		}
	}
	return best, target <= 0 && best.Tokens < was
}

// A level is how far a tool is cut, in bytes but for enum. What a level keeps every level before it keeps.
type level struct {
	tool     int // of the tool's description
	required int // of the description of a required parameter at the top
	optional int // of any other description
	fallback int // of the JSON of a default
	enum     int // values of an enum
}

const all = 1 << 30

var levels = []level{
	{all, all, all, 64, all}, // harmless
	{800, 300, 200, 32, 60},
	{400, 160, 100, 24, 30},
	{240, 90, 60, 16, 16},
	{160, 60, 32, 16, 10},
}
