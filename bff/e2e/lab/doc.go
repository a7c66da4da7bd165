// Package lab runs the strategies lab in a real Chromium and holds its verdicts
// to a golden file.
//
// It is where the lab's parts meet: the world and the attacks of cloakroom/bff/lab,
// which need nothing but an interface of a browser, the browser of package
// stage, and a Cloakroom, which the lab knows by its address only. It is in
// this module, and the lab is not, so that a browser driver is nobody's
// dependency.
package lab
