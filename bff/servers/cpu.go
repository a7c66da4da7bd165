package servers

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit in which the kernel tells processor time: _SC_CLK_TCK is 100
// wherever Go runs on Linux (proc(5)).
const tick = time.Second / 100

// CPU returns the processor time that the server and its descendants have used
// so far, those that have ended included.
func (p *Process) CPU() (total time.Duration) {
	p.t.Helper()
	for _, pid := range p.family() {
		total += usedBy(pid)
	}
	return total
}

// family is the server and its descendants.
func (p *Process) family() []int {
	p.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Fatal(err)
	}
	children := map[int][]int{}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			parent := parentOf(pid)
			children[parent] = append(children[parent], pid)
		}
	}
	family := []int{p.PID()}
	for i := 0; i < len(family); i++ {
		family = append(family, children[family[i]]...)
	}
	return family
}

// Proportional returns how much memory the server and its descendants have in
// RAM, in bytes, each page divided by how many processes share it
// (smaps_rollup, proc_pid_smaps(5)).
func (p *Process) Proportional() (total int64) {
	p.t.Helper()
	for _, pid := range p.family() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		var kilobytes int64
		if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
			p.t.Fatalf("smaps_rollup of %d: %v", pid, err)
		}
		total += kilobytes << 10
	}
	return total
}

// Resident returns how much memory the server has in RAM (proc_pid_statm(5)),
// in bytes, without its descendants.
func (p *Process) Resident() int64 {
	p.t.Helper()
	cmd, _ := p.current()
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		p.t.Fatalf("statm %q: %v", statm, err)
	}
	return resident * int64(os.Getpagesize())
}

// usedBy reads a process's time, to the nanosecond, and that of its children which
// ended, to a tick; 0 when there is no such process.
func usedBy(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// After the name in parentheses the third field comes first; cutime and cstime
	// are the fields 16 and 17.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 15 {
		return 0
	}
	// The clock of a process's time, as clock_getcpuclockid(3) names it: Linux keeps
	// that in posix-timers_types.h.
	const scheduled = 2
	var own unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &own); err != nil {
		return 0
	}
	total := time.Duration(own.Nano())
	for _, field := range fields[13:15] {
		n, _ := strconv.Atoi(string(field))
		total += time.Duration(n) * tick
	}
	return total
}
