package shared

// What tabs of one browser tell each other about the session they share, in the
// manner of an event. The server never sends these.
const (
	// EventSessionLasts: the session lasts ExpiresIn, because it was used or
	// because the server was asked again after a silence.
	EventSessionLasts = "session-lasts"
	// EventSessionLater: somebody was asked whether to stay, and let it be.
	EventSessionLater = "session-later"
)
