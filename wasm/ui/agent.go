package ui

import "strings"

// Agent says which browser on which system calls itself ua: "Firefox on Linux".
// It is a name to recognise a session by, taken at its word. What it returns is
// one of the names below, never a part of ua.
func Agent(ua string) string {
	browser, system := named(ua, browsers), named(ua, systems)
	switch {
	case browser == "" && system == "":
		return "An unknown browser"
	case browser == "":
		return "A browser on " + system
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// A mark is what a user agent string contains, and whose it is.
type mark struct{ text, name string }

func named(ua string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(ua, m.text) {
			return m.name
		}
	}
	return ""
}

// Most browsers claim to be others too, so the particular come before those
// they claim to be.
var (
	browsers = []mark{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Vivaldi/", "Vivaldi"}, {"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"},
		{"curl/", "curl"}, {"Go-http-client/", "A Go program"},
	}
	systems = []mark{
		{"Windows", "Windows"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"}, {"BSD", "BSD"},
	}
)
