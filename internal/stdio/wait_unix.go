//go:build unix && !linux

package stdio

import "syscall"

// dieWithParent does nothing: only Linux can do that.
func dieWithParent(*syscall.SysProcAttr) {}

// onlyZombies reports that it does not know.
func onlyZombies(int) bool { return false }
