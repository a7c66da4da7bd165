package servers

import ()

// FerretDBServer speaks MongoDB's protocol and keeps its data in SQLite.
type FerretDBServer struct {
	*Process
	Port int
	// Dir holds its files.
	Dir string
}

// FerretDB starts a server, built from the module in the folder ferretdb, which
// nothing else depends on. With a certificate it speaks TLS, and wants one.
func FerretDB(t T, certificate *Certificate) *FerretDBServer {
	t.Helper()
	f := &FerretDBServer{Port: FreePort(t), Dir: Dir(t, nil)}
	args := []string{"-listen", f.Addr(), "-dir", f.Dir}
	if certificate != nil {
		args = append(args, "-cert", certificate.Cert, "-key", certificate.Key, "-ca", certificate.CA)
	}
	f.Process = Start(t, Command{
		Program: Build(t, "bff/servers/ferretdb", ".", "ferretdb"),
		Args:    args, Dir: f.Dir, Ready: Accepts("tcp", f.Addr()),
	})
	return f
}

// Addr is host and port.
func (f *FerretDBServer) Addr() string { return Address(f.Port) }
