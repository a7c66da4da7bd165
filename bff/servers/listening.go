package servers

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listening returns the addresses on which a process and its descendants take
// TCP connections (proc_pid_net(5)). It sees those processes only whose files
// may be looked at.
func Listening(t T, pid int) []netip.AddrPort {
	t.Helper()
	inodes := map[string]bool{}
	for family := []int{pid}; len(family) > 0; family = family[1:] {
		family = append(family, childrenOf(t, family[0])...)
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", family[0])) // the pattern is good
		for _, file := range files {
			target, err := os.Readlink(file)
			if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	var addresses []netip.AddrPort
	for _, table := range []string{"tcp", "tcp6"} {
		file, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			// The local address, the other one, the state (0A listens), and the
			// inode are the fields 2, 3, 4 and 10.
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != "0A" || !inodes[fields[9]] {
				continue
			}
			address, err := socketAddress(fields[1])
			if err != nil {
				t.Fatalf("%s: %v", table, err)
			}
			addresses = append(addresses, address)
		}
		_ = file.Close()
	}
	return addresses
}

// socketAddress reads an address as the kernel prints it: words of four bytes,
// each in the order of a little-endian machine.
func socketAddress(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
}

// Listening is where the server takes connections.
func (p *Process) Listening() []netip.AddrPort {
	p.t.Helper()
	cmd, _ := p.current()
	return Listening(p.t, cmd.Process.Pid)
}

// Children are the processes that the server started itself.
func (p *Process) Children() []int {
	p.t.Helper()
	cmd, _ := p.current()
	return childrenOf(p.t, cmd.Process.Pid)
}
