package servers

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

const (
	pieceSize = 32 << 20
	// overlap is what a piece repeats of the one before, so that a text of up to
	// so many bytes is whole in one of them.
	overlap = 4 << 10
)

// Memory returns the whole memory of the server and of the processes it has for
// its clients (proc_pid_mem(5)), in pieces that are good until the next: heap,
// stacks, shared memory, and files they write to through it; all but the code
// and constants of programs, which are as they are on disk. Linux lets a
// process's parent read it, where it is not told otherwise, and root.
func (p *Process) Memory(t T) iter.Seq[[]byte] {
	t.Helper()
	cmd, _ := p.current()
	processes := append(childrenOf(t, cmd.Process.Pid), cmd.Process.Pid)
	return func(yield func([]byte) bool) {
		for _, pid := range processes {
			if !memoryOf(t, pid, yield) {
				return
			}
		}
	}
}

// memoryOf yields the memory of one process; nothing of one that has ended
// meanwhile.
func memoryOf(t T, pid int, yield func([]byte) bool) bool {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return unreadable(t, pid, err)
	}
	defer func() { _ = maps.Close() }()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return unreadable(t, pid, err)
	}
	defer func() { _ = memory.Close() }()
	read := 0
	piece := make([]byte, pieceSize)
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		line := lines.Text()
		var from, to uint64
		var access string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		program := access[1] == '-' && strings.Contains(line, " /") && !strings.HasSuffix(line, " (deleted)")
		if access[0] != 'r' || program || strings.Contains(line, " [v") { // [vdso], [vvar] and [vsyscall] are the kernel's
			continue
		}
		for at := from; at < to; at += pieceSize - overlap {
			n, err := memory.ReadAt(piece[:min(to-at, pieceSize)], int64(at))
			if n == 0 && err != nil {
				break // the end of a mapped file
			}
			read += n
			if !yield(piece[:n]) {
				return false
			}
		}
	}
	if read == 0 {
		return unreadable(t, pid, errors.New("it has none"))
	}
	return true
}

func unreadable(t T, pid int, err error) bool {
	t.Helper()
	if parentOf(pid) != 0 {
		t.Fatalf("the memory of process %d cannot be read, which takes root or a parent that may trace it (ptrace(2)): %v", pid, err)
	}
	return true
}

// Files returns what is in the files at and below the given paths.
func Files(t T, paths ...string) iter.Seq[[]byte] {
	t.Helper()
	return func(yield func([]byte) bool) {
		for _, path := range paths {
			err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
				var content []byte
				if err == nil && d.Type().IsRegular() {
					content, err = os.ReadFile(path)
				}
				if errors.Is(err, fs.ErrNotExist) {
					return nil // the server tidies up
				}
				if err == nil && len(content) > 0 && !yield(content) {
					return fs.SkipAll
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
