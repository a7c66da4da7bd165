package attack

import "cloakroom/shared/lab"

// Payloads are the scripts of an attack, as they are run; none: it runs none in
// the victim's browser. What comes before each is the same for all: how it
// reports.
func Payloads(id string) []lab.Payload {
	var list []lab.Payload
	for _, name := range plans[id].payloads {
		code, err := payloads.ReadFile("payload/" + name + ".js")
		if err != nil {
			panic("attack: no payload " + name) // the names are in this package
		}
		list = append(list, lab.Payload{Name: name + ".js", Code: string(code)})
	}
	return list
}
