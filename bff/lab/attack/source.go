package attack

import "cloakroom/shared/lab"

// scripts names each attack's payloads. An attack that is not here runs no
// script.
var scripts = map[string][]string{"A1": {"theft"}, "A3": {"newflow"}, "A4": {"proxying"}, "X1": {"forgery"}}

// Payloads are the scripts of an attack, as they are run. What comes before
// each is the same for all: how it reports.
func Payloads(id string) []lab.Payload {
	var list []lab.Payload
	for _, name := range scripts[id] {
		code, err := payloads.ReadFile("payload/" + name + ".js")
		if err != nil {
			panic("attack: no payload " + name) // the names are in this package
		}
		list = append(list, lab.Payload{Name: name + ".js", Code: string(code)})
	}
	return list
}
