//go:build !linux

package stdio

import "os/exec"

// awaitExit returns when the child has exited. It reaps it: only on Linux one can wait without. Members of the group
// keep its id taken; if there are none, the id is free in the moments until the group is killed, which a system would
// have to go through all of its ids to make use of.
func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }
