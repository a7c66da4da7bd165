package lab

// PathLive is where the live lab answers, at an origin that has one. Below it:
//
//	GET     a Bench: what there is to try
//	POST    run  an Order; answers with the Run, or 409 if there is one
//	GET     run  ?after=N waits until the Run has a Seq above N, for some seconds
//	DELETE  run  ends it
const PathLive = "/api/lab/"

// Bench is what the live lab offers, and what goes on in it.
type Bench struct {
	Strategies []Offer `json:"strategies"`
	Attacks    []Offer `json:"attacks"`
	// User and Password are the victim's, for the lab's own provider.
	User     string `json:"user"`
	Password string `json:"password"`
	// Run is the one that goes on, or that ended last; nil: there was none.
	Run *Run `json:"run,omitempty"`
}

// Offer is a strategy or an attack that can be tried, or why not.
type Offer struct {
	ID      string `json:"id"`
	Missing string `json:"missing,omitempty"`
	// Payloads are an attack's scripts, as they are run.
	Payloads []Payload `json:"payloads,omitempty"`
}

// Payload is a script of an attack.
type Payload struct {
	Name string `json:"name"`
	Code string `json:"code"`
}

// Order names what is to be tried.
type Order struct {
	Strategy string `json:"strategy"`
	Attack   string `json:"attack"`
}

// Run is one attack on one strategy in the user's own browser, as far as it
// has come.
type Run struct {
	ID    string `json:"id"`
	Seq   int    `json:"seq"` // grows with every change
	Phase Phase  `json:"phase"`
	// Open is the address for the victim's tab.
	Open string `json:"open"`
	// Tab is what the victim's tab was told to do and did, in words.
	Tab []string `json:"tab,omitempty"`
	// Away: the tab is where the lab has no say, at the provider: it is the
	// user's turn.
	Away bool `json:"away,omitempty"`
	// Cell is what a report would have of it, so far; its verdict is empty until
	// the run is Done.
	Cell Cell `json:"cell"`
}

// Phase is how far a Run has come.
type Phase string

// Phases.
const (
	Waiting   Phase = "waiting"   // for the victim's tab
	Running   Phase = "running"   // the tab is there
	Done      Phase = "done"      // there is a verdict
	Cancelled Phase = "cancelled" // by the user: there is none
)

// Over reports whether nothing will change any more.
func (r Run) Over() bool { return r.Phase == Done || r.Phase == Cancelled }
