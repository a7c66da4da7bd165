package servers

import (
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build compiles a main package and returns the program. module is the folder
// of the module whose requirements count, within this one; empty means this one
// itself. The program stays in the user's cache, apart from those of other
// copies of the module, so that the next test need not link it again.
func Build(t T, module, path, name string) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env GOMOD: %v", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	folder := filepath.Join(filepath.Dir(strings.TrimSpace(string(root))), module)
	program := filepath.Join(cache, "cloakroom-test", fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(folder))), name)
	build := exec.Command("go", "build", "-o", program, path)
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", path, err, out)
	}
	return program
}
