package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"cloakroom/bff/servers"
)

// The cores: one for the front that is measured, one for everything else.
const frontCore, ourCore = "0", "1"

// pin puts a process, all threads of it, on some cores; what it starts from then
// on is there too.
func pin(pid int, cores string) error {
	out, err := exec.Command("taskset", "-a", "-c", "-p", cores, strconv.Itoa(pid)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("taskset (package util-linux): %w: %s", err, out)
	}
	return nil
}

// everyCore is all there are. NumCPU tells those that this process began with.
func everyCore() string { return "0-" + strconv.Itoa(runtime.NumCPU()-1) }

// pinOurselves leaves a core to the fronts. The returned function takes all back.
func pinOurselves() (unpin func() error, err error) {
	cores := runtime.NumCPU()
	if cores < 2 {
		return nil, fmt.Errorf("two cores are needed, one for the server that is measured and one for the rest; there is %d", cores)
	}
	procs := runtime.GOMAXPROCS(1)
	return func() error {
		runtime.GOMAXPROCS(procs)
		return pin(os.Getpid(), everyCore())
	}, pin(os.Getpid(), ourCore)
}

// onFrontCore makes a command run on the core of the fronts.
func onFrontCore(c servers.Command) servers.Command {
	c.Args = append([]string{"-c", frontCore, c.Program}, c.Args...)
	c.Program, c.Package = "taskset", "util-linux"
	return c
}
