package ui

import "time"

// Question is "stay signed in?": when it is put, and what became of it. Its zero
// value is not put.
type Question struct {
	Open    bool
	Busy    bool    // "stay" was said and is under way
	Final   bool    // staying did not help: the session has reached its last end
	Failure Failure // why "stay" failed

	session   string        // User.State of the session it is about
	longest   time.Duration // the most that session was seen to last: its idle time, or less
	announced time.Duration // when the server finds it is time, before the end
	let       time.Time     // the end that somebody let come
}

// mostNotice is how long before the end the question is put.
const mostNotice = time.Minute

// slack is how far two readings of one end may be apart: what is left is told
// in whole seconds.
const slack = 2 * time.Second

// notice is mostNotice, or half the idle time when that is shorter. The server
// knows better, if it says.
func (q *Question) notice() time.Duration {
	if q.announced > 0 {
		return q.announced
	}
	return min(mostNotice, q.longest/2)
}

// Heard takes what is now known of the session. The question is put only in a
// tab that is seen: a hidden one asks the server again when it is.
func (q *Question) Heard(s Session, now time.Time, visible bool) {
	switch {
	case s.State == Down: // nothing new is known
		return
	case s.State != SignedIn || s.Ends.IsZero():
		*q = Question{}
		return
	case s.User.State != q.session:
		*q = Question{session: s.User.State}
	}
	q.longest = max(q.longest, s.Ends.Sub(now))
	if s.Ends.Sub(q.let) > slack {
		q.let = time.Time{}
	}
	due := !now.Before(s.Ends.Add(-q.notice()))
	q.Open = due && q.let.IsZero() && (q.Open || visible)
	if !q.Open {
		q.Busy, q.Final, q.Failure = false, false, Failure{}
	}
}

// Announced is the server's word that the session ends in left.
func (q *Question) Announced(left time.Duration) {
	q.announced = left + time.Second // it was told in whole seconds
}

// Later lets the end come: nobody is asked again before it, unless it is put off.
func (q *Question) Later(ends time.Time) { q.Open, q.let = false, ends }

// Stay is yes. It reports false when it was said already.
func (q *Question) Stay() bool {
	if q.Busy || !q.Open {
		return false
	}
	q.Busy, q.Failure = true, Failure{}
	return true
}

// Stayed is what staying made of the session. An end that did not move cannot
// be put off, and the question becomes a piece of news.
func (q *Question) Stayed(before, after Session, now time.Time) {
	q.Busy = false
	if q.Final = after.Ends.Sub(before.Ends) <= slack; q.Final {
		return
	}
	// After use the session lasts as long as it ever will: a notice of more
	// than half of that would be given all the time.
	q.longest = after.Ends.Sub(now)
	q.announced = min(q.announced, q.longest/2)
}

// StayFailed is why nothing came of it; the question stays.
func (q *Question) StayFailed(f Failure) { q.Busy, q.Failure = false, f }

// The server is asked again this often while the question is put: somebody may
// be using another tab.
const askAgain = 10 * time.Second

// Next is when the server has to be asked again; zero when nothing is due.
func (q *Question) Next(s Session, now time.Time) time.Time {
	if s.State != SignedIn || s.Ends.IsZero() {
		return time.Time{}
	}
	over := s.Ends.Add(slack)
	if q.Open {
		if again := now.Add(askAgain); again.Before(over) {
			return again
		}
		return over
	}
	if due := s.Ends.Add(-q.notice()); q.let.IsZero() && due.After(now) {
		return due
	}
	return over
}
