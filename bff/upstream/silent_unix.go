//go:build unix

package upstream

import "golang.org/x/sys/unix"

// silent reports whether a socket has nothing to read, not even its end.
func silent(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], 0)
	return n == 0 && err == nil
}
