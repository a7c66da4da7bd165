package servers

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit in which the kernel tells processor time: _SC_CLK_TCK is 100
// wherever Go runs on Linux (proc(5)).
const tick = time.Second / 100

// CPU returns the processor time that the server and its descendants have used
// so far, to 10 ms, those that have ended included.
func (p *Process) CPU() time.Duration {
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
	cmd, _ := p.current()
	family, total := []int{cmd.Process.Pid}, time.Duration(0)
	for len(family) > 0 {
		pid := family[0]
		family = append(family[1:], children[pid]...)
		total += usedBy(pid)
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

// usedBy reads a process's time and that of its children which ended; 0 when
// there is no such process.
func usedBy(pid int) (total time.Duration) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// After the name in parentheses the third field comes first; utime, stime,
	// cutime and cstime are the fields 14 to 17.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 15 {
		return 0
	}
	for _, field := range fields[11:15] {
		n, _ := strconv.Atoi(string(field))
		total += time.Duration(n) * tick
	}
	return total
}
