//go:build unix

package upstream

import "golang.org/x/sys/unix"

// silent reports whether a socket that does not block has nothing to read, not even
// its end. It reads a byte to find out: a connection that has one is closed.
func silent(fd uintptr) bool {
	var one [1]byte
	_, err := unix.Read(int(fd), one[:])
	return err == unix.EAGAIN
}
