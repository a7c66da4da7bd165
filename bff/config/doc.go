// Package config turns a YAML file and the environment into one checked Config.
//
// It owns the keys: their names, defaults, meanings and rules, all read off the
// tags of the Config structs, so that the decoder, the environment, the
// suggestions and the reference table cannot disagree. It reports every problem
// of a configuration in one pass. It never puts a value into an error, for any
// value may be a secret written on the wrong line, and it never opens a
// listener or dials.
//
//	file -> YAML nodes --+
//	                     +-> overlay -> decode by tags -> rules across keys -> *Config
//	CLOAKROOM_* ---------+        every stage adds to one list of *Problem
//
// Relative paths in a configuration are relative to the working directory.
package config
