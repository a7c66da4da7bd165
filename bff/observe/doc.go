// Package observe lets an operator see what the BFF does without seeing what
// it guards.
//
// It owns the logger and its redaction, the access log, the Prometheus
// metrics, and the health answers. Redaction is threefold: secrets are types
// that do not print, the access log takes named fields only (no header, no
// query, no body), and whatever still looks like a token is blotted out as it
// is written. It never sits between a request and its answer.
package observe
