package openapi

import (
	"mime"
	"strings"
)

// baseMedia is a media type in lower case without its parameters, or "" if there is none to speak of.
func baseMedia(contentType string) string {
	base, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		base, _, _ = strings.Cut(contentType, ";")
		base = strings.ToLower(strings.TrimSpace(base))
	}
	return base
}

func isJSON(contentType string) bool {
	base := baseMedia(contentType)
	return base == "application/json" || strings.HasSuffix(base, "+json") || base == "text/json"
}

func isText(contentType string) bool {
	base := baseMedia(contentType)
	switch base {
	case "application/xml", "application/javascript", "application/yaml", "application/x-yaml", "application/x-ndjson",
		"application/jsonl", "application/graphql", "application/x-www-form-urlencoded", "application/sql", "application/toml":
		return true
	}
	return strings.HasPrefix(base, "text/") || strings.HasSuffix(base, "+xml") || strings.HasSuffix(base, "+yaml") || isJSON(base)
}

// rankMedia orders the media types of one body by how well a model can write and read them.
func rankMedia(contentType string) int {
	switch base := baseMedia(contentType); {
	case base == "application/json":
		return 0
	case isJSON(base):
		return 1
	case base == "*/*" || base == "application/*":
		return 2
	case base == formMedia:
		return 3
	case base == multipartMedia:
		return 4
	case base == "text/plain":
		return 5
	case isText(base):
		return 6
	case base == "application/octet-stream":
		return 7
	}
	return 8
}

const (
	formMedia      = "application/x-www-form-urlencoded"
	multipartMedia = "multipart/form-data"
)

// mediaMatches reports whether a media type is within one that may end in a wildcard.
func mediaMatches(contentType, pattern string) bool {
	base, pattern := baseMedia(contentType), baseMedia(pattern)
	if pattern == "*/*" || pattern == base {
		return true
	}
	family, ok := strings.CutSuffix(pattern, "/*")
	return ok && strings.HasPrefix(base, family+"/")
}
