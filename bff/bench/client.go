package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"cloakroom/bff/lab/chromium"
	"cloakroom/bff/servers"
)

// usable is true of a page on which the application runs and has heard who is
// there. What it replaced is gone.
const usable = `document.querySelector(".who") && !document.querySelector(".who .bone") && !document.querySelector("#app-wasm-loader")?.checkVisibility()`

// watchful notes when the page became usable, in ms since the navigation began.
const watchful = `(() => { const look = () => { if (document.body && (` + usable + `)) window.benchUsable = performance.now(); else requestAnimationFrame(look) }; look() })()`

// settle is for a browser that has just started, or left a page: for a while it
// keeps every core busy with itself.
const settle = time.Second

// slowNetwork is what the developer tools call "Slow 4G", and called "Fast 3G" before.
var slowNetwork = chromium.Pace{Latency: 562.5, Down: 180_000, Up: 84_375}

// boot is what was seen of one visit, in ms.
type boot struct{ paint, usable float64 }

// measureClient opens the application of a running Cloakroom in a Chromium whose
// profile is empty (cold), and once more in the same (warm). All cores take part.
func measureClient(ctx context.Context, p plan, e errand) error {
	size, err := os.Stat(e.wasm)
	if err != nil {
		return err
	}
	e.tell(measure{"Client/wasm", "the application as Wasm, whole, brotli", "B", []float64{float64(size.Size())}})
	version, err := browserVersion(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(e.report.With, version) {
		e.report.With = append(e.report.With, version)
	}
	return e.on(ctx, tokenLife, []string{"client"}, func(w *world, s *servers.Stage) error {
		h := w.openCloakroom(s, "client", "  store: memory\n")
		return e.freely(func() error {
			if err := pin(h.server.PID(), everyCore()); err != nil {
				return err
			}
			quick, err := e.visits(ctx, w, p.rounds, nil)
			if err != nil {
				return err
			}
			slow, err := e.visits(ctx, w, 1, &slowNetwork)
			if err != nil {
				return err
			}
			e.tell(
				measure{"Client/paint", "first contentful paint (prerendered), cold", "ms", quick.cold.paints()},
				measure{"Client/cold", "cold start to a usable page, headless Chromium on loopback", "ms", quick.cold.usables()},
				measure{"Client/warm", "warm start to a usable page", "ms", quick.warm.usables()},
				measure{"Client/slow-paint", "first contentful paint, cold, over a slow network (1.4 Mbit/s, 560 ms a request)", "ms", slow.cold.paints()},
				measure{"Client/slow-cold", "cold start to a usable page over it", "ms", slow.cold.usables()},
				measure{"Client/slow-warm", "warm start to a usable page over it", "ms", slow.warm.usables()},
			)
			return nil
		})
	})
}

func browserVersion(ctx context.Context) (version string, err error) {
	b, err := chromium.Open(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return b.Version(ctx)
}

type boots []boot

func (list boots) paints() (values []float64) {
	for _, one := range list {
		values = append(values, one.paint)
	}
	return values
}

func (list boots) usables() (values []float64) {
	for _, one := range list {
		values = append(values, one.usable)
	}
	return values
}

// twice is a list of first visits, and one of second visits.
type twice struct{ cold, warm boots }

func (e errand) visits(ctx context.Context, w *world, n int, pace *chromium.Pace) (seen twice, err error) {
	for range n {
		cold, warm, err := visitTwice(ctx, w.origin("client")+"/", pace)
		if err != nil {
			return twice{}, err
		}
		fmt.Fprintf(e.progress, "  cold: paint %.0f ms, usable %.0f ms; warm: paint %.0f ms, usable %.0f ms\n", cold.paint, cold.usable, warm.paint, warm.usable)
		seen.cold, seen.warm = append(seen.cold, cold), append(seen.warm, warm)
	}
	return seen, nil
}

func visitTwice(ctx context.Context, address string, pace *chromium.Pace) (cold, warm boot, err error) {
	b, err := chromium.Open(ctx)
	if err != nil {
		return cold, warm, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := b.Early(ctx, watchful); err != nil {
		return cold, warm, err
	}
	if pace != nil {
		if err := b.Slow(ctx, *pace); err != nil {
			return cold, warm, err
		}
	}
	for _, into := range []*boot{&cold, &warm} {
		if err := b.Go(ctx, "about:blank"); err != nil {
			return cold, warm, err
		}
		time.Sleep(settle)
		if err := b.Go(ctx, address); err != nil {
			return cold, warm, err
		}
		for end := time.Now().Add(time.Minute); into.usable == 0; time.Sleep(10 * time.Millisecond) {
			if err := b.Run(ctx, `window.benchUsable ?? 0`, &into.usable); err != nil {
				return cold, warm, err
			}
			if time.Now().After(end) {
				return cold, warm, errors.New("the application does not become usable")
			}
		}
		if err := b.Run(ctx, `performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0`, &into.paint); err != nil {
			return cold, warm, err
		}
		if into.paint == 0 {
			return cold, warm, errors.New("nothing was painted")
		}
	}
	return cold, warm, nil
}
