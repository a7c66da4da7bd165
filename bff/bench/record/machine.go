package record

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Host is what was measured on.
type Host struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	System string `json:"system"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	// Load is the load average over the minute before: what else ran.
	Load string `json:"load_average_before"`
}

// Machine tells what this runs on.
func Machine() Host {
	field := func(file, name string) string {
		text, _ := os.ReadFile(file) // a line of the table less
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				return strings.Trim(strings.TrimSpace(rest), `:=" `+"\t")
			}
		}
		return "unknown"
	}
	load, _, _ := strings.Cut(field("/proc/loadavg", ""), " ")
	return Host{
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), System: field("/etc/os-release", "PRETTY_NAME"),
		Kernel: field("/proc/sys/kernel/osrelease", ""), Go: runtime.Version(), Load: load,
	}
}

// String is the end of a sentence.
func (h Host) String() string {
	return fmt.Sprintf("on %d cores (%s) of a %s machine, Linux %s, %s;\nload average before it began: %s.",
		h.Cores, h.CPU, h.System, h.Kernel, strings.Replace(h.Go, "go", "Go ", 1), h.Load)
}
