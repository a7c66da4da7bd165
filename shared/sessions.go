package shared

// Device is one session of the signed-in user, in the answer of
// GET /bff/sessions: an array of these, the newest first. Times are Unix
// seconds.
type Device struct {
	// Handle names the session to DELETE /bff/sessions/{handle}. It is neither
	// the ticket nor what the store calls the session.
	Handle   string `json:"handle"`
	Current  bool   `json:"current"` // the session that asks
	Created  int64  `json:"created"`
	LastSeen int64  `json:"last_seen"` // kept to a coarse grain
	Expires  int64  `json:"expires"`   // unless it is used
	// UserAgent is what the browser called itself at the sign-in, cut to 256
	// bytes; Address is the network it signed in from, "203.0.113.0/24".
	UserAgent string `json:"user_agent,omitempty"`
	Address   string `json:"address,omitempty"`
}

// HandleOthers stands for every session of the user but the one that asks.
const HandleOthers = "others"

// Events of GET /bff/events, a stream of server-sent events whose data is a
// SessionEvent. After EventSessionEnded the stream closes for good.
const (
	EventSessionEnded    = "session-ended"
	EventSessionExpiring = "session-expiring"
)

// SessionEvent is the data of an event.
type SessionEvent struct {
	// ExpiresIn is how long the session lasts unless it is used, in seconds;
	// for EventSessionExpiring only.
	ExpiresIn int64 `json:"expires_in,omitempty"`
}
