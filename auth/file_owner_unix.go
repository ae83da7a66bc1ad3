//go:build unix

package auth

import (
	"io/fs"
	"os"
	"syscall"
)

// foreignOwner reports whether a file belongs to a user who is neither that of this process nor root.
func foreignOwner(info fs.FileInfo) (uid int, foreign bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	uid = int(stat.Uid)
	return uid, uid != os.Geteuid() && uid != 0
}
