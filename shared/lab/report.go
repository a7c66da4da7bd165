package lab

import "time"

// Report is what came out when attacks were run on strategies.
type Report struct {
	Made  Made   `json:"made"`
	Cells []Cell `json:"cells"`
	// Measures are the properties, strategy by strategy.
	Measures []Measure `json:"measures,omitempty"`
}

// Made is when, where and with what a report was made.
type Made struct {
	At        time.Time     `json:"at"`
	Took      time.Duration `json:"took_ns"`
	Cloakroom string        `json:"cloakroom"` // version
	Browser   string        `json:"browser"`   // product and version
	Machine   string        `json:"machine"`   // system, processors, memory
}

// Measure is one property of one strategy, as it was found.
type Measure struct {
	Strategy string `json:"strategy"`
	Property string `json:"property"`
	// Finding is the result in a word or two: "yes", "no", "412 B", "until the
	// token expires". A finding of a Steady property is the same in every run.
	Finding string `json:"finding"`
	// Number is the finding in the property's Unit, where it has one.
	Number *float64 `json:"number,omitempty"`
	// Steps are what was done and seen, in words.
	Steps []string `json:"steps"`
	// Missing says why there is nothing to measure, Failed what kept the lab
	// from measuring; empty: nothing.
	Missing string `json:"missing,omitempty"`
	Failed  string `json:"failed,omitempty"`
}

// Cell is one attack on one strategy: the verdict and all it rests on. Nothing
// in it is worth stealing: of what was taken it has fingerprints.
type Cell struct {
	Strategy string   `json:"strategy"`
	Attack   string   `json:"attack"`
	Verdict  Verdict  `json:"verdict"`
	Evidence Evidence `json:"evidence"`
}

// Evidence is what was seen, in the order of events.
type Evidence struct {
	// SignedIn: the victim's page was signed in and had its data before the
	// attack. Finished: the payload ran to its end and reported to the attacker.
	SignedIn bool `json:"signed_in"`
	Finished bool `json:"finished"`
	// Steps are what was done, in words.
	Steps []string `json:"steps"`
	// Missing says why there is nothing to attack; empty: there is.
	Missing string `json:"missing,omitempty"`
	// Failed is what kept the lab from running the attack; empty: nothing.
	Failed string `json:"failed,omitempty"`
	// Taken is what reached the attacker.
	Taken []Loot `json:"taken,omitempty"`
	// Answers are what servers said to the attacker's own client and, where By
	// is Browser, to what the attacker's page sent through the victim's.
	Answers []Answer `json:"answers,omitempty"`
	// Changes are what the attack changed for the victim, as the lab found by
	// asking the API itself.
	Changes []string `json:"changes,omitempty"`
}

// Loot is something taken.
type Loot struct {
	Kind        string `json:"kind"` // KindAccess and so on
	From        string `json:"from"` // the place it was found in
	Fingerprint string `json:"fingerprint"`
}

// Kinds of loot.
const (
	KindAccess  = "access_token"
	KindRefresh = "refresh_token"
	KindID      = "id_token"
	KindCookie  = "cookie"
	KindCode    = "code"
	KindForged  = "forged" // made from one of these, and issued by nobody
)

// Answer is what a server answered to one request.
type Answer struct {
	By      string `json:"by"`
	Request string `json:"request"`        // method and address, without secrets
	With    string `json:"with,omitempty"` // fingerprint of the loot it carried
	Status  int    `json:"status"`
	// Gave: the attacker has the victim's data by it.
	Gave bool `json:"gave"`
}

// Who sends requests.
const (
	Attacker = "attacker" // its own client, outside the browser
	Browser  = "browser"  // the victim's, at the attacker's bidding
)

// Verdict is the outcome of a cell.
type Verdict string

// Verdicts.
const (
	Broken        Verdict = "broken"         // the attacker got in, or changed something
	Held          Verdict = "held"           // the attack ran, and came to nothing
	NotApplicable Verdict = "not-applicable" // there is nothing to attack
	Inconclusive  Verdict = "inconclusive"   // the attack did not run: says nothing
)
