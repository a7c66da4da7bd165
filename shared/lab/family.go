package lab

import "strings"

// Family is where a strategy keeps what signs the user in.
type Family string

// Families.
const (
	InPage   Family = "page"   // script or storage of the page has the tokens
	InCookie Family = "cookie" // a cookie has them, as they are or sealed
	AtServer Family = "server" // a server has them; the browser has a name for them
)

// Families lists them, in the order from the most exposed to the least.
func Families() []Family { return []Family{InPage, InCookie, AtServer} }

// Family is the strategy's. One that keeps tokens in cookies has "cookie" in
// its ID.
func (s Strategy) Family() Family {
	switch {
	case strings.Contains(s.ID, "cookie"):
		return InCookie
	case s.TokensInPage:
		return InPage
	}
	return AtServer
}
