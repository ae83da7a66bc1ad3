package watch

import (
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links are followed; Linux follows as many (path_resolution(7)).
const maxLinks = 40

// trace follows an absolute path through its symbolic links. It returns every name whose replacement would make another
// file of it: the links on the way, and the file itself, or the first name that is not there. The directory of each is
// free of links.
func trace(path string) (names []string) {
	dir, rest := split(path)
	for links := 0; len(rest) > 0; {
		var elem string
		elem, rest = rest[0], rest[1:]
		switch elem {
		case "", ".":
			continue
		case "..":
			dir = filepath.Dir(dir)
			continue
		}
		name := filepath.Join(dir, elem)
		info, err := os.Lstat(name)
		switch {
		case err != nil:
			return append(names, name)
		case info.Mode()&os.ModeSymlink == 0 && len(rest) == 0:
			return append(names, name)
		case info.Mode()&os.ModeSymlink == 0:
			dir = name
			continue
		}
		names = append(names, name)
		target, err := os.Readlink(name)
		if links++; err != nil || links > maxLinks {
			return names
		}
		if filepath.IsAbs(target) {
			var elems []string
			dir, elems = split(target)
			rest = append(elems, rest...)
		} else {
			rest = append(strings.Split(filepath.FromSlash(target), string(filepath.Separator)), rest...)
		}
	}
	return names
}

// split returns the root of an absolute path and the names below it.
func split(path string) (root string, elems []string) {
	root = filepath.VolumeName(path) + string(filepath.Separator)
	return root, strings.Split(filepath.FromSlash(path[min(len(root), len(path)):]), string(filepath.Separator))
}
