// Command scale derives what many sessions need of machines, and where the first
// wall stands, from what one request and one session were measured to cost.
//
//	make scale             # README=1 puts it into the README
//
// It owns the model and its usage, and no figure of cost: those are read where
// the measurements left them, and each is printed with its place. What none of
// them measured is named as missing, or as stood in for by what.
//
//	inputs (requests, stores, topologies, weighed here)
//	  -> simulation: how busy an instance, a shard, the provider may be
//	  -> needs of each kind of store at so many sessions, walls, the inverse
//	  -> text, JSON, SVG, README
//
// Nothing here is a measurement of many machines, and nothing a promise: the
// model knows averages, one usage and one kind of answer.
package main
