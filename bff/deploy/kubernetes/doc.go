// Package kubernetes holds no code: its manifests are decoded by its tests into
// Kubernetes' own types, strictly, so that a field nobody knows fails. It is a
// module of its own, so that nobody inherits those types.
package kubernetes
