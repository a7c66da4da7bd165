package ui

import (
	"slices"

	"cloakroom/shared"
	"cloakroom/shared/problem"
)

// Devices is the list of the user's sessions.
type Devices struct {
	Phase        Phase
	Failure      Failure
	Rows         []DeviceRow
	AskingOthers bool
	Notice       Notice
	ending       string // the handle under way, or shared.HandleOthers
}

// DeviceRow is one session in the list.
type DeviceRow struct {
	shared.Device
	Asking bool // waits for "yes, end it"
}

// Name is what a person may know the session by.
func (r DeviceRow) Name() string { return Agent(r.UserAgent) }

// Loaded takes the server's answer.
func (d *Devices) Loaded(devices []shared.Device) {
	d.Phase, d.Failure, d.AskingOthers = Ready, Failure{}, false
	d.Rows = nil
	for _, one := range devices {
		d.Rows = append(d.Rows, DeviceRow{Device: one})
	}
}

// LoadFailed notes why there is no list. An old one would name sessions that
// may be gone, so it is dropped. A server without lists has an empty one.
func (d *Devices) LoadFailed(f Failure) {
	if f.Code == problem.NotFound {
		d.Loaded(nil)
		return
	}
	d.Phase, d.Failure, d.Rows = Failed, f, nil
}

// Others counts the sessions that are not the one that asks.
func (d *Devices) Others() int {
	n := 0
	for _, row := range d.Rows {
		if !row.Current {
			n++
		}
	}
	return n
}

// Ending reports whether handle is being ended, by itself or with all others.
func (d *Devices) Ending(row DeviceRow) bool {
	return d.ending != "" && (d.ending == row.Handle || d.ending == shared.HandleOthers && !row.Current)
}

// Busy reports whether anything is being ended: one change at a time.
func (d *Devices) Busy() bool { return d.ending != "" }

// Ask opens the question whether to end handle, or HandleOthers, and closes any
// other.
func (d *Devices) Ask(handle string) {
	d.AskingOthers = handle == shared.HandleOthers
	for i := range d.Rows {
		d.Rows[i].Asking = d.Rows[i].Handle == handle && !d.Rows[i].Current
	}
}

// Keep closes the question.
func (d *Devices) Keep() { d.Ask("\x00") }

// End is yes. It reports false when something is being ended already: a double
// click ends one session.
func (d *Devices) End(handle string) bool {
	if d.Busy() {
		return false
	}
	d.Keep()
	d.ending, d.Notice = handle, Notice{}
	return true
}

// Ended is the server's consent.
func (d *Devices) Ended() {
	handle := d.ending
	d.ending = ""
	before := len(d.Rows)
	if handle == shared.HandleOthers {
		d.Rows = slices.DeleteFunc(d.Rows, func(r DeviceRow) bool { return !r.Current })
		d.Notice = Notice{Text: Count(before-len(d.Rows), "other session") + " ended."}
		return
	}
	for _, row := range d.Rows {
		if row.Handle == handle {
			d.Notice = Notice{Text: "Ended: " + row.Name() + "."}
		}
	}
	d.Rows = slices.DeleteFunc(d.Rows, func(r DeviceRow) bool { return r.Handle == handle })
}

// EndFailed says why a session is still there. One that was gone already is as
// ended as any. It reports whether the list must be read again to know what is
// true.
func (d *Devices) EndFailed(f Failure) (reload bool) {
	if f.Code == problem.SessionUnknown {
		d.Ended()
		return false
	}
	d.ending = ""
	if f.Fault == FaultOffline {
		d.Notice = Notice{Bad: true, Text: "No answer came, so what you ended may or may not have ended."}
		return true
	}
	d.Notice = Notice{Bad: true, Text: "Nothing was ended. " + f.Sentence()}
	return false
}
