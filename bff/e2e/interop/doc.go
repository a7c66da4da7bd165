// Package interop holds the tests that put Cloakroom before a certified OpenID
// Provider of another house, the npm package oidc-provider, in a real browser:
// what both of ours would misread in the same way, theirs does not.
//
//	Chromium -> one loopback port -> localhost:     bff/server, in this process
//	                              '-> idp.localhost: node provider/provider.mjs
//	bff/server -> API of the tests, which asks the provider what a token is worth
//
// Each test starts all of it on free ports and ends it. Nothing is stubbed;
// the port in front only passes on, and writes down what went to the provider.
//
//	make e2e                                        # with the other browser tests
//	make provider && cd bff/e2e && go test ./interop/
//
// They need node (20.12 or later) and npm, which installs oidc-provider as its
// lock file has it; and, as all of bff/e2e, a Chromium and the built Wasm.
package interop
