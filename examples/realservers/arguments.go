package main

// object makes a small object that a JSON Schema accepts, as a form-filling person would: what is required and what has
// a default. It knows the keywords that tools use, not all of JSON Schema.
func object(schema map[string]any, user string) map[string]any {
	required := map[string]bool{}
	names, _ := schema["required"].([]any)
	for _, name := range names {
		if name, ok := name.(string); ok {
			required[name] = true
		}
	}
	filled := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	for name, p := range properties {
		property, _ := p.(map[string]any)
		if _, hasDefault := property["default"]; required[name] || hasDefault {
			filled[name] = value(property, user)
		}
	}
	return filled
}

// value makes a value that a schema accepts. Strings name the user, so that a mix-up of users shows in the answers.
func value(schema map[string]any, user string) any {
	for _, keyword := range []string{"default", "const"} {
		if v, ok := schema[keyword]; ok {
			return v
		}
	}
	for _, keyword := range []string{"enum", "examples"} {
		if list, ok := schema[keyword].([]any); ok && len(list) > 0 {
			return list[0]
		}
	}
	for _, keyword := range []string{"oneOf", "anyOf"} {
		if list, ok := schema[keyword].([]any); ok && len(list) > 0 {
			first, _ := list[0].(map[string]any)
			return value(first, user)
		}
	}
	switch kind(schema) {
	case "object":
		return object(schema, user)
	case "array":
		items, _ := schema["items"].(map[string]any)
		least, _ := schema["minItems"].(float64)
		list := []any{}
		for range int(least) {
			list = append(list, value(items, user))
		}
		return list
	case "integer", "number":
		if least, ok := schema["minimum"].(float64); ok {
			return least
		}
		return 1.0
	case "boolean":
		return false
	case "null":
		return nil
	}
	switch schema["format"] {
	case "email":
		return user + "@example.com"
	case "uri":
		return "https://example.com/" + user
	case "date":
		return "2026-01-02"
	case "date-time":
		return "2026-01-02T03:04:05Z"
	}
	return user
}

// kind is the type that a schema asks for, the first one if it leaves a choice.
func kind(schema map[string]any) string {
	switch t := schema["type"].(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			first, _ := t[0].(string)
			return first
		}
	}
	if _, ok := schema["properties"]; ok {
		return "object"
	}
	return "string"
}
