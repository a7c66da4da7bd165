package servers_test

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"cloakroom/bff/servers"
)

func TestWhereAProcessAndItsChildrenListen(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		want := l.Addr().(*net.TCPAddr).AddrPort()
		want = netip.AddrPortFrom(want.Addr().Unmap(), want.Port())
		if got := servers.Listening(t, os.Getpid()); !slices.Contains(got, want) && !slices.Contains(got, netip.AddrPortFrom(netip.IPv6Unspecified(), want.Port())) {
			t.Errorf("%s is not among %v", want, got)
		}
		_ = l.Close()
		if got := servers.Listening(t, os.Getpid()); slices.Contains(got, want) {
			t.Errorf("%s is among %v though it is closed", want, got)
		}
	}
	child := netip.MustParseAddrPort(servers.Redis(t).Addr())
	if got := servers.Listening(t, os.Getpid()); !slices.Contains(got, child) {
		t.Errorf("the child's %s is not among %v", child, got)
	}
}
