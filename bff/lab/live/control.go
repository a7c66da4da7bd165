package live

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cloakroom/bff/lab/attack"
	"cloakroom/bff/lab/strategy"
	"cloakroom/bff/respond"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// patience is how long a question for what is new may wait.
const patience = 10 * time.Second

func (l *Lab) routes() http.Handler {
	answer := &respond.Responder{Log: l.cfg.Log}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", answer.Handler(l.bench))
	mux.Handle("POST /run", answer.Handler(l.begin))
	mux.Handle("GET /run", answer.Handler(l.follow))
	mux.Handle("DELETE /run", answer.Handler(l.end))
	if l.cfg.Topologies != nil {
		below := strings.TrimPrefix(lab.PathPlay, lab.PathLive)
		mux.Handle("/"+below, http.StripPrefix("/"+below[:len(below)-1], l.cfg.Topologies))
	}
	mux.Handle("/", answer.Handler(func(http.ResponseWriter, *http.Request) error { return problem.New(problem.NotFound, nil) }))
	return mux
}

func (l *Lab) bench(w http.ResponseWriter, _ *http.Request) error {
	made := lab.Bench{User: strategy.Victim.Name, Password: strategy.Victim.Password}
	for _, s := range lab.Strategies() {
		made.Strategies = append(made.Strategies, lab.Offer{ID: s.ID, Missing: l.missing(s)})
	}
	for _, a := range lab.Attacks() {
		made.Attacks = append(made.Attacks, lab.Offer{ID: a.ID, Missing: cannot(a), Payloads: attack.Payloads(a.ID)})
	}
	l.mu.Lock()
	if l.run != nil {
		run := l.snapshot()
		made.Run = &run
	}
	l.mu.Unlock()
	return send(w, made)
}

func (l *Lab) begin(w http.ResponseWriter, r *http.Request) error {
	var order lab.Order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&order); err != nil {
		return problem.New(problem.BadRequest, err)
	}
	run, err := l.start(order)
	if err != nil {
		return err
	}
	return send(w, run)
}

// follow waits until there is something the caller has not seen.
func (l *Lab) follow(w http.ResponseWriter, r *http.Request) error {
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		return problem.New(problem.ParameterInvalid, err)
	}
	late := time.After(patience)
	for {
		l.mu.Lock()
		if l.run == nil {
			l.mu.Unlock()
			return problem.New(problem.NotFound, nil)
		}
		run, changed := l.snapshot(), l.changed
		l.mu.Unlock()
		if run.Seq > after {
			return send(w, run)
		}
		select {
		case <-changed:
		case <-late:
			return send(w, run)
		case <-r.Context().Done():
			return nil
		}
	}
}

func (l *Lab) end(w http.ResponseWriter, _ *http.Request) error {
	l.stop()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func send(w http.ResponseWriter, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(value)
}
