package property

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/shared"
	"cloakroom/shared/lab"
)

const (
	smallest = 1 << 10 // bytes of the claim that grows
	doubled  = 11      // as many sizes, each twice the one before: up to 1 MiB
)

// largest finds the power of two up to which the provider's tokens may grow. It
// takes for granted that what is too large stays so when it grows.
func (s *subject) largest(ctx context.Context, m *lab.Measure) error {
	defer s.world.Pad(0)
	s.in = false
	visits := len(s.world.Visits(0))
	if err := attack.SignIn(ctx, s.browser, s.world, s.strategy); err != nil {
		return err
	}
	usual := s.fetched(s.world.Visits(visits))
	refusals := map[int]string{}
	n, err := biggest(doubled, func(i int) (bool, error) {
		size := sized(i)
		refusal, err := s.fits(ctx, size, usual)
		if err != nil {
			return false, err
		}
		refusals[i] = refusal
		if refusal == "" {
			note(m, "with a claim of %s in the access and the ID token the victim signed in and saw the orders", inBytes(size))
		} else {
			note(m, "with %s %s", inBytes(size), refusal)
		}
		return refusal == "", nil
	})
	switch {
	case err != nil:
		return err
	case n == doubled:
		is(m, float64(sized(n-1)), "%s and more", inBytes(sized(n-1)))
	case n == 0:
		is(m, 0, "less than %s: %s", inBytes(sized(0)), refusals[0])
	default:
		is(m, float64(sized(n-1)), "%s; at %s %s", inBytes(sized(n-1)), inBytes(sized(n)), refusals[n])
	}
	return nil
}

// sized is a size, by its place.
func sized(i int) int { return smallest << i }

// biggest is how many of n sizes fit, the smallest first. It tries as few as it
// can.
func biggest(n int, fits func(i int) (bool, error)) (int, error) {
	low, high := 0, n // below low all fit, from high on none does
	for low < high {
		middle := (low + high) / 2
		ok, err := fits(middle)
		switch {
		case err != nil:
			return 0, err
		case ok:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, nil
}

// fits signs in with tokens of that size; refusal is what kept it from
// succeeding, in words that are the same in every run. What asks the provider
// for tokens more often than usual has not kept those it had.
func (s *subject) fits(ctx context.Context, size, usual int) (refusal string, err error) {
	s.world.Pad(size)
	visits := len(s.world.Visits(0))
	attempt, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// A page of an error is no page of the application, and would be waited for.
	go func() {
		look := time.NewTicker(10 * pause)
		defer look.Stop()
		for {
			select {
			case <-attempt.Done():
				return
			case <-look.C:
				if s.refused(s.world.Visits(visits)) != "" {
					cancel()
					return
				}
			}
		}
	}()
	failed := attack.SignIn(attempt, s.browser, s.world, s.strategy)
	if failed == nil {
		if s.fetched(s.world.Visits(visits)) > usual {
			return "the tokens were not kept, and the provider was asked for more", nil
		}
		return "", nil
	}
	if refusal := s.refused(s.world.Visits(visits)); refusal != "" {
		return refusal, nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	var shown string
	if err := s.browser.Run(ctx, `document.querySelector("#status")?.textContent ?? ""`, &shown); err != nil || shown == "" {
		return "", fmt.Errorf("property: nobody said why the sign-in failed: %w", failed)
	}
	// What a browser says after the first colon may hold sizes and names.
	reason, _, _ := strings.Cut(shown, ":")
	return fmt.Sprintf("the page said %q", reason), nil
}

// refused finds the answer that refused something, of those that a sign-in
// leads to.
func (s *subject) refused(visits []strategy.Visit) string {
	for _, v := range visits {
		// A page that asks who is there is told that nobody is.
		nobody := s.ofApplication(v) && v.Status == http.StatusUnauthorized
		if v.Status < 400 || nobody || v.Path == "/favicon.ico" {
			continue
		}
		who := "the provider answered"
		switch origin := "http://" + v.Host; {
		case origin == s.world.API():
			who = "the API answered"
		case s.ofApplication(v) && strings.HasPrefix(v.Path, "/api/"):
			who = "the application answered the call"
		case s.ofApplication(v) && strings.HasPrefix(v.Path, shared.BFFPrefix):
			who = "the application answered the sign-in"
		case s.ofApplication(v):
			who = "the application answered its page"
		case origin != s.world.Issuer():
			continue
		}
		return fmt.Sprintf("%s %d", who, v.Status)
	}
	return ""
}

// fetched counts how often the provider was asked for tokens.
func (s *subject) fetched(visits []strategy.Visit) (n int) {
	for _, v := range visits {
		if "http://"+v.Host == s.world.Issuer() && v.Path == "/oauth/token" && v.Method == http.MethodPost {
			n++
		}
	}
	return n
}

// inBytes is for powers of two.
func inBytes(n int) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
