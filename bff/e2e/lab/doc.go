// Package lab runs the strategies lab in a real Chromium and holds its verdicts
// to a golden file.
//
// It is where the lab's parts meet for tests: the world, the attacks, the
// browser and the processes of cloakroom/bff/lab, with a Cloakroom that is
// built for it.
package lab
