package playground

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"cloakroom/bff/lab/balancer"
	"cloakroom/bff/respond"
	"cloakroom/shared"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// patience is how long a question for what is new may wait, and breath how long an
// answer waits for more to say.
const (
	patience = 10 * time.Second
	breath   = 60 * time.Millisecond
)

func (p *Playground) routes() http.Handler {
	answer := &respond.Responder{Log: p.cfg.Log}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", answer.Handler(p.list))
	mux.Handle("POST /play", answer.Handler(p.begin))
	mux.Handle("GET /play", answer.Handler(p.follow))
	mux.Handle("DELETE /play", answer.Handler(p.finish))
	mux.Handle("POST /event", answer.Handler(p.happen))
	mux.Handle("/", answer.Handler(func(http.ResponseWriter, *http.Request) error { return problem.New(problem.NotFound, nil) }))
	return mux
}

func (p *Playground) list(w http.ResponseWriter, r *http.Request) error {
	p.mu.Lock()
	made := lab.Playground{Home: p.site.Home, Origin: p.site.Origin, User: p.site.User, Password: p.site.Password}
	if p.game != nil {
		play := p.snapshot(r)
		made.Play = &play
	}
	p.mu.Unlock()
	for _, t := range lab.Topologies() {
		offer := lab.Offer{ID: t.ID}
		if why := p.missing(t); why != "" {
			offer.Missing = "It cannot be run here: " + why + "."
		}
		made.Topologies = append(made.Topologies, offer)
	}
	return send(w, made)
}

func (p *Playground) begin(w http.ResponseWriter, r *http.Request) error {
	var choice lab.Choice
	if err := read(w, r, &choice); err != nil {
		return err
	}
	if err := p.start(choice); err != nil {
		return err
	}
	p.mu.Lock()
	play := p.snapshot(r)
	p.mu.Unlock()
	return send(w, play)
}

// follow waits until there is something the caller has not seen, and a moment
// longer: things rarely come alone.
func (p *Playground) follow(w http.ResponseWriter, r *http.Request) error {
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		return problem.New(problem.ParameterInvalid, err)
	}
	late := time.After(patience)
	for {
		p.mu.Lock()
		if p.game == nil {
			p.mu.Unlock()
			return problem.New(problem.NotFound, nil)
		}
		seq, over, changed := p.game.play.Seq, p.game.play.Over(), p.changed
		p.mu.Unlock()
		if seq > after || over {
			break
		}
		select {
		case <-changed:
			continue
		case <-late:
		case <-r.Context().Done():
			return nil
		}
		break
	}
	select {
	case <-time.After(breath):
	case <-r.Context().Done():
		return nil
	}
	p.mu.Lock()
	if p.game == nil {
		p.mu.Unlock()
		return problem.New(problem.NotFound, nil)
	}
	play := p.snapshot(r)
	p.mu.Unlock()
	return send(w, play)
}

func (p *Playground) finish(w http.ResponseWriter, _ *http.Request) error {
	p.end()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (p *Playground) happen(w http.ResponseWriter, r *http.Request) error {
	var cue lab.Cue
	if err := read(w, r, &cue); err != nil {
		return err
	}
	p.mu.Lock()
	g := p.game
	p.mu.Unlock()
	if g == nil {
		return problem.New(problem.NotFound, nil)
	}
	if err := g.cue(cue); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// snapshot is the play as whoever asks finds it. p.mu is held.
func (p *Playground) snapshot(r *http.Request) lab.Play {
	play := p.game.play
	play.Deployed.Nodes, play.Servers = slices.Clone(play.Deployed.Nodes), slices.Clone(play.Servers)
	play.Hops, play.Told = slices.Clone(play.Hops), slices.Clone(play.Told)
	if found := r.CookiesNamed(shared.CookieName); len(found) == 1 {
		play.You = p.game.guest(balancer.Fingerprint(found[0].Value))
	}
	return play
}

// maxBody bounds what is sent here, in bytes.
const maxBody = 1 << 10

func read(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return problem.New(problem.BadRequest, err)
	}
	return nil
}

func send(w http.ResponseWriter, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(value)
}
