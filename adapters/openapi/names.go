package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// maxName is the longest tool name that all large providers take.
const maxName = 64

// spell writes s in [A-Za-z0-9_-]. What is left out becomes one underscore between what stays.
func spell(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range s {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
		} else {
			gap = true
		}
	}
	return b.String()
}

// toolNames names operations: wanted[i] is what operation i would like to be called, keys[i] what tells it apart from all
// others. A name that had to be cut, or that two operations would get, ends in a hash of the key, so that it does not
// depend on the order or the number of the others. An operation whose wish needs no change has the first claim to it.
func toolNames(wanted, keys []string) []string {
	names := make([]string, len(wanted))
	claims, exact := map[string]int{}, map[string]int{}
	for i, want := range wanted {
		names[i] = spell(want)
		if names[i] == "" {
			names[i] = "operation"
		}
		claims[names[i]]++
		if names[i] == want {
			exact[want]++
		}
	}
	taken := map[string]bool{}
	for i, name := range names {
		if len(name) <= maxName && (claims[name] == 1 || name == wanted[i] && exact[name] == 1) {
			taken[name] = true
		} else {
			names[i] = ""
		}
	}
	for i, name := range names {
		if name != "" {
			continue
		}
		name = spell(wanted[i])
		if name == "" {
			name = "operation"
		}
		sum := sha256.Sum256([]byte(keys[i]))
		hash := hex.EncodeToString(sum[:])
		names[i] = suffixed(name, hash[:8])
		for n := 2; taken[names[i]]; n++ { // somebody else asked for the very name
			names[i] = suffixed(name, hash[:8]+"_"+strconv.Itoa(n))
		}
		taken[names[i]] = true
	}
	return names
}

func suffixed(name, suffix string) string {
	if room := maxName - len(suffix) - 1; len(name) > room {
		name = name[:room]
	}
	return strings.TrimRight(name, "_-") + "_" + suffix
}
