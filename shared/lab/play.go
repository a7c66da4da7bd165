package lab

// PathPlay is where a topology that is played with is looked at and controlled,
// at an origin that has such a thing. Below it:
//
//	GET            a Playground: what there is, and what stands
//	POST    play   a Choice; answers with the Play, or 409 if there is one
//	GET     play   ?after=N waits until the Play has a Seq above N, for some seconds
//	POST    event  a Cue; answers once it has begun, or 409 while another goes on
//	DELETE  play   ends it
const PathPlay = PathLive + "topology/"

// PlayHost is the host at which a topology is played with, in the demo.
const PlayHost = "topology.localhost"

// Playground is what can be played with.
type Playground struct {
	Topologies []Offer `json:"topologies"` // which can be run here, or what is missing
	// Home is the origin at which a topology is chosen, Origin the one at which it
	// is played with: its own balancer's.
	Home   string `json:"home"`
	Origin string `json:"origin"`
	// User and Password are of somebody who may sign in.
	User     string `json:"user"`
	Password string `json:"password"`
	// Play is the one that goes on, or that ended last; nil: there was none.
	Play *Play `json:"play,omitempty"`
}

// Choice names what is to be run.
type Choice struct {
	Topology string `json:"topology"`
}

// Cue names an event that is to happen, or Mend.
type Cue struct {
	Event string `json:"event"`
	// Server is the one to kill, restart or cut; "": any.
	Server string `json:"server,omitempty"`
}

// Mend is the cue for everything that is down, cut or full to be put right.
const Mend = "mend"

// Play is a topology that runs, as whoever asks finds it.
type Play struct {
	ID    string    `json:"id"`
	Seq   int       `json:"seq"` // grows with every change
	Phase PlayPhase `json:"phase"`
	// Why it failed, or ended by itself.
	Why      string   `json:"why,omitempty"`
	Topology string   `json:"topology"`
	Deployed Deployed `json:"deployed"`
	Servers  []Served `json:"servers"` // in the order of the Deployed
	// Busy is the event that goes on; "": none.
	Busy string `json:"busy,omitempty"`
	// Broken: there is something for Mend to put right.
	Broken bool   `json:"broken,omitempty"`
	You    Guest  `json:"you"`
	Hops   []Hop  `json:"hops"` // the last ones, the oldest first
	Told   []Told `json:"told"` // what happened, the oldest first
}

// PlayPhase is how far a Play has come.
type PlayPhase string

// Phases of a Play.
const (
	PlayStarting PlayPhase = "starting"
	PlayRunning  PlayPhase = "running"
	PlayEnding   PlayPhase = "ending"
	PlayEnded    PlayPhase = "ended"
	PlayFailed   PlayPhase = "failed"
)

// Over reports whether nothing will change any more.
func (p Play) Over() bool { return p.Phase == PlayEnded || p.Phase == PlayFailed }

// Served is a server as the balancer finds it, and what the server says of itself.
type Served struct {
	Name   string    `json:"name"`
	State  NodeState `json:"state"`         // as the balancer has it
	Why    string    `json:"why,omitempty"` // of a state that is not up
	Active int       `json:"active"`        // requests under way
	Served int64     `json:"served"`        // requests answered
	// Sessions are those in its own memory; nil: it keeps none itself, or does not say.
	Sessions *int `json:"sessions,omitempty"`
	// Reads and Writes are its calls of the store so far; Hits those it could answer
	// from a copy, instead of a read.
	Reads  int64 `json:"reads"`
	Writes int64 `json:"writes"`
	Hits   int64 `json:"hits"`
}

// Guest is whoever asks, and their session.
type Guest struct {
	// Session is a fingerprint of the cookie; "": the browser has none.
	Session string `json:"session,omitempty"`
	// MadeBy is the server that answered with it; "": nobody was seen to.
	MadeBy string `json:"made_by,omitempty"`
	// At is where the session object is: names of servers, AtStore, or AtBrowser.
	// Empty: nowhere any more, or there is none.
	At []string `json:"at,omitempty"`
	// Gone says why the session vanished; "": it did not.
	Gone string `json:"gone,omitempty"`
}

// Where a session object can be, besides in servers.
const (
	AtStore   = "store"
	AtBrowser = "browser"
)

// Hop is a request and the way it took.
type Hop struct {
	N      int      `json:"n"`  // counts them
	At     int64    `json:"at"` // Unix time in milliseconds
	Method string   `json:"method"`
	Path   string   `json:"path"`
	Server string   `json:"server,omitempty"` // "": none answered
	Tried  []string `json:"tried,omitempty"`  // those that could not take it
	Status int      `json:"status"`
	Took   float64  `json:"took_ms"`
	// Stuck: "" the policy chose, "kept" a cookie's server took it, "moved" it could not.
	Stuck string `json:"stuck,omitempty"`
	// Session it came with, as a fingerprint.
	Session string `json:"session,omitempty"`
	// Shell: a part of the page, which needs no session.
	Shell bool `json:"shell,omitempty"`
	// Why it is worth a word.
	Why string `json:"why,omitempty"`
}

// Told is something that happened, in words.
type Told struct {
	N    int    `json:"n"`
	At   int64  `json:"at"` // Unix time in milliseconds
	Mood Mood   `json:"mood,omitempty"`
	Text string `json:"text"`
}

// Mood is how good it is.
type Mood string

// Moods.
const (
	Plain Mood = ""
	Good  Mood = "good"
	Bad   Mood = "bad"
)
