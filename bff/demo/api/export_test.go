package api

// The parsers, for fuzzing.
var (
	ParsePage     = parsePage
	ParseNewOrder = parseNewOrder
)
