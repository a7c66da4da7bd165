// Package chromium is the lab's browser: a headless Chromium of its own, driven
// by chromedp.
//
// It owns the process, which ends with this one, and its profile, which is a
// folder for temporary files, gone with Close. It is what package attack asks
// of a browser, and no more: it knows no payload and no strategy. It reaches
// loopback only, whatever a page asks for, and listens nowhere: commands go
// through a pipe. Every wait is bounded.
//
//	Open -> Browser (its tab in front) -> Go, Run, Cookies, Forget, Early, Slow
//	                                   -> NewTab, Restart
package chromium
