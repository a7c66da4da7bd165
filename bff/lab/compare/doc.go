// Package compare runs the lab: every attack on every strategy, and then what
// each strategy survives and costs; and every event on every topology.
//
// It owns what is to be run, in which order and in which browser, and puts the
// parts of the lab together. It judges nothing, and knows no outcome.
//
//	Choose(IDs) -> Strategies -> world, processes, browser
//	                          -> attack by attack, property by property -> lab.Report
//	ChooseTopologies(IDs) -> Topologies -> world and crowd, two topologies at a time
//	                                    -> event by event -> lab.TopologyReport
//
// A browser is new for each strategy, so that no verdict lives on what another
// one left behind.
package compare
