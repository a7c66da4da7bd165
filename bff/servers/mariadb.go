package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// MariaDBServer is a MariaDB server that asks for passwords and offers TLS.
type MariaDBServer struct {
	*Process
	Port int
	Certificate
	// Data is the folder with its files.
	Data string
}

// MariaDB runs a new MariaDB server with the given options, each as
// --name=value.
func MariaDB(t T, options ...string) *MariaDBServer {
	t.Helper()
	owner := Unprivileged(t, "mysql")
	dir := Dir(t, owner)
	m := &MariaDBServer{Port: FreePort(t), Certificate: certificateOf(t, dir, owner), Data: filepath.Join(dir, "data")}
	program := Program(t, "mariadbd", "mariadb-server")

	install := exec.Command(Program(t, "mariadb-install-db", "mariadb-server"),
		"--no-defaults", "--datadir="+m.Data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	install.Dir = dir
	// A server that starts removes what it takes for the leavings of another
	// in its folder for temporary files, so no two may share one.
	install.Env = append(os.Environ(), "TMPDIR="+dir)
	install.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}

	socket := filepath.Join(dir, "socket")
	args := []string{
		"--no-defaults", "--datadir=" + m.Data, "--socket=" + socket, "--pid-file=" + filepath.Join(dir, "pid"),
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(m.Port), "--skip-name-resolve",
		"--ssl-ca=" + m.CA, "--ssl-cert=" + m.Cert, "--ssl-key=" + m.Key,
	}
	m.Process = Start(t, Command{
		Program: program, Package: "mariadb-server", Args: append(args, options...), Dir: dir, Credential: owner,
		Ready: Accepts("tcp", Address(m.Port)),
	})

	// Every user that comes with it may only use the socket, and has no password.
	client := exec.Command(Program(t, "mariadb", "mariadb-client"), "--no-defaults", "--socket="+socket, "--user=root",
		"--execute="+fmt.Sprintf("DELETE FROM mysql.global_priv WHERE Host <> 'localhost'; FLUSH PRIVILEGES; GRANT ALL ON *.* TO '%s'@'127.0.0.1' IDENTIFIED BY '%s' WITH GRANT OPTION",
			MariaDBUser, MariaDBPassword))
	if out, err := client.CombinedOutput(); err != nil {
		t.Fatalf("mariadb: %v\n%s", err, out)
	}
	return m
}

// DSN is how user reaches a database over loopback TCP, in the form of the Go
// driver; parameters is what follows the question mark.
func (m *MariaDBServer) DSN(user, password, database, parameters string) string {
	return user + ":" + password + "@tcp(" + Address(m.Port) + ")/" + database + "?" + parameters
}
