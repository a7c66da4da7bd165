package machine

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/servers"
)

// server is a running Cloakroom.
type server struct {
	stage   *servers.Stage
	process *servers.Process
	address string
	spent   time.Duration // by those that were killed
}

var _ strategy.Server = (*server)(nil)

// Cloakroom runs "cloakroom serve" with a config file of that content, and
// returns when it is ready. The addresses it listens on are the machine's to
// choose, whatever the file says.
func (m *Machine) Cloakroom(config []byte) (strategy.Server, error) {
	s := &server{stage: m.stage}
	err := m.stage.Try(func() {
		folder := servers.Dir(m.stage, nil)
		file := filepath.Join(folder, "cloakroom.yaml")
		m.stage.Must(os.WriteFile(file, config, 0o600)) // it has a secret in it
		s.address = servers.Address(servers.FreePort(m.stage))
		admin := servers.Address(servers.FreePort(m.stage))
		s.process = servers.Start(m.stage, servers.Command{
			Program: m.program, Args: []string{"serve", "--config", file}, Dir: folder,
			Env:   append(outside(os.Environ()), "CLOAKROOM_LISTEN="+s.address, "CLOAKROOM_ADMIN_LISTEN="+admin),
			Ready: func(ctx context.Context) error { return ready(ctx, "http://"+admin+"/readyz") },
		})
	})
	if err != nil {
		return nil, fmt.Errorf("machine: start cloakroom: %w", err)
	}
	return s, nil
}

// outside is an environment without what configures another Cloakroom.
func outside(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(line string) bool { return strings.HasPrefix(line, "CLOAKROOM_") })
}

// client keeps no connection, so that a server that is killed leaves none.
var client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func ready(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it is not ready: %d", resp.StatusCode)
	}
	return nil
}

func (s *server) Address() string { return s.address }

// Restart leaves it no time to save anything.
func (s *server) Restart() error {
	if err := s.stage.Try(func() {
		s.spent += s.process.CPU()
		s.process.Kill()
		s.process.Restart()
	}); err != nil {
		return fmt.Errorf("machine: restart cloakroom: %w", err)
	}
	return nil
}

// CPU counts what ran before a Restart too.
func (s *server) CPU() time.Duration { return s.spent + s.process.CPU() }

func (s *server) Memory() (resident int64, err error) {
	if err := s.stage.Try(func() { resident = s.process.Resident() }); err != nil {
		return 0, fmt.Errorf("machine: memory of cloakroom: %w", err)
	}
	return resident, nil
}
