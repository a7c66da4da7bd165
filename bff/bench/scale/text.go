package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"cloakroom/bff/bench/record"
)

// text is the report in Markdown.
func (r *report) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	table := func(head string, numbers int) {
		texts := strings.Count(head, " | ") - numbers
		line("\n| %s |\n|---|%s%s", head, strings.Repeat("--:|", numbers), strings.Repeat("---|", texts))
	}
	if r.Uncommitted != "" {
		line("What a request costs is of a run that is not committed (`%s`): once `make bench README=1` was run, `make scale README=1` renews this.\n", r.Uncommitted)
	}
	r.walls(line, table)
	r.inverse(line, table)
	r.near(line)
	r.simulated(line, table)
	r.crowds(line, table)
	r.needs(line, table)
	r.inputs(line, table)
	return b.String()
}

type (
	liner  func(format string, args ...any)
	tabler func(head string, numbers int)
)

func (r *report) walls(line liner, table tabler) {
	line("**The first wall.** Sessions at which it stands, and the next ones. The provider is taken to serve %s token requests a second.", record.Count(r.Usage.Provider))
	table("sessions are in | first | then | then", 0)
	for _, row := range r.Rows {
		var cells []string
		for i := range 3 {
			cell := "–"
			if i < len(row.Walls) && row.Walls[i].Sessions < most {
				cell = fmt.Sprintf("%s: %s", many(row.Walls[i].Sessions), row.Walls[i].Label)
			}
			cells = append(cells, cell)
		}
		line("| %s | %s |", row.Label, strings.Join(cells, " | "))
	}
	for _, label := range r.Unknown {
		line("| %s | cannot be said: an input is missing | – | – |", label)
	}
}

func (r *report) inverse(line liner, table tabler) {
	line("\n**What instances carry**, of %g cores each: sessions, calls a second, and what the store needs then, or the wall that stands before. More than one balancer, and another provider, are taken for granted here.", r.Usage.Cores)
	head := "sessions are in"
	for _, n := range fleets {
		head += fmt.Sprintf(" | %s instance%s", record.Count(n), map[bool]string{true: "s"}[n > 1])
	}
	table(head, 0)
	for _, row := range r.Rows {
		text := "| " + row.Label
		for _, c := range row.Fleets {
			switch {
			case c.Sessions <= 1:
				text += " | too few"
				continue
			case c.Past != nil:
				text += fmt.Sprintf(" | %s: %s", many(c.Past.Sessions), c.Past.Label)
				continue
			}
			text += fmt.Sprintf(" | %s: %s/s", many(c.Sessions), record.Count(c.Rates.Calls))
			switch {
			case row.shards:
				text += fmt.Sprintf(", %s shard%s", record.Count(c.Shards), map[bool]string{true: "s"}[c.Shards > 1])
			case c.StoreCores > 0:
				text += fmt.Sprintf(", %s cores", record.Short(c.StoreCores))
			}
		}
		line("%s |", text)
	}
}

func (r *report) near(line liner) {
	if n := r.NearPays; n.Sessions > 1 && n.Sessions < most {
		line("\nA near cache answers %s of the calls, if calls come as they are taken to. It spares a Redis Cluster more than news of every write to every instance cost it up to %s sessions, which is %s instances; beyond, it costs more.",
			percent(1-r.Usage.missRate()), many(n.Sessions), record.Count(n.Instances))
	}
}

func (r *report) simulated(line liner, table tabler) {
	c := r.Ceilings
	how := "which the simulation gives"
	if !r.Derived {
		how = "which were asked for"
	}
	line("\n**How busy they may be**: instances %s, a store's server %s, the provider %s, %s. p99 in times of an idle one's; instances of %g cores, calls spread at random, service times exponential.",
		percent(c.Instance), percent(c.Store), percent(c.ProviderMay), how, r.Usage.Cores)
	table("busy | p99 of an instance | the same, a third of them gone | of a Redis shard | a call through both, µs", 4)
	for i, u := range r.Busy {
		if i%2 == 0 && u.Utilisation != c.Instance && u.Utilisation != c.Store && i != len(r.Busy)-1 {
			continue // steps of 10 % are enough to read
		}
		gone := "more than there is"
		if u.AThirdGone > 0 {
			gone = fmt.Sprintf("%.1f", u.AThirdGone)
		}
		line("| %s | %.1f | %s | %.1f | %s |", percent(u.Utilisation), u.Instance, gone, u.Shard, record.Count(u.Whole))
	}
	line("\n**Everybody comes back** after %s without a provider: every session that is used needs a token at once. Over is when none waits for a second any more; it must be before the first of those tokens run out again (%s). A call waits 30 s, then is a 503 and comes again.",
		span(r.Usage.Outage), span(r.Usage.Token))
	table("the provider, before | sessions | waiting at the most | p99 of the wait | calls given up | over after", 5)
	for _, s := range r.Storms {
		line("| %s busy | %s | %s | %s s | %s | %s |", percent(s.Load), many(s.Sessions), record.Count(s.Peak), record.Short(s.P99), record.Count(float64(s.GivenUp)), r.over(s))
	}
	if len(r.Failovers) > 0 {
		line("\n**One shard of a Redis Cluster fails over**, which took %.1f s in the lab. Reads of its sessions get a 503 until then, those of others do not if not all shards are required (`cluster-require-full-coverage no`); as Redis comes, they are, and none answers during the election, which is taken for the last %g s. A write needs the shards of its indexes, too. Share of reads that are answered 503 meanwhile, by the calls an instance makes in a second:", r.Failovers[0].Away, election)
		head, at := "shards | of them gone", 0
		for ; r.Failovers[at].Election == 0; at++ {
			head += " | at " + record.Count(r.Failovers[at].Rate) + "/s"
		}
		at++
		table(head+" | all required | last 503 after", at+2)
		for list := r.Failovers; len(list) > 0; list = list[at:] {
			text, last := fmt.Sprintf("| %d | %s", list[0].Shards, percent(1/float64(list[0].Shards))), 0.0
			for _, f := range list[:at] {
				text, last = text+" | "+percent(f.Share), max(last, f.Until)
			}
			line("%s | %.1f s |", text, last)
		}
	}
	if r.Lab != nil {
		line("\nThe lab saw %s answered 503 while it failed over, with three shards, all required, and %s calls a second for each instance; simulated, it is %s. The lab's users call again when they were answered, and a call to the shard that is gone takes longer: it sees fewer of those.",
			percent(r.Lab.Saw), record.Count(r.Lab.Supposed.Rate), percent(r.Lab.Supposed.Share))
	}
}

func (r *report) over(s storm) string {
	if s.Over >= 3.9*r.Usage.Token.Seconds() {
		return "not in " + span(4*r.Usage.Token)
	}
	return record.Count(s.Over) + " s"
}

func (r *report) crowds(line liner, table tabler) {
	line("\n**What so many sessions do**, a second, whatever they are kept in.")
	table("sessions | calls | writes | renewals | sign-ins | Gbit/s to browsers", 5)
	for i, n := range crowds {
		c := r.Rates[i]
		line("| %s | %s | %s | %s | %s | %s |", many(n), record.Short(c.Calls), record.Short(c.Writes), record.Short(c.Renewals), record.Short(c.SignIns), record.Short(gbit*c.Calls*r.Usage.Answer))
	}
}

func (r *report) needs(line liner, table tabler) {
	line("\n<details><summary>What each kind of store needs, by sessions</summary>\n")
	line("Cores are those that are busy; instances and shards are enough to keep them below the ceiling. Shards: for their memory, for their processor; each wants a replica besides. Of PostgreSQL GB are on disk, of NATS the store is the stream's leader. Between instances and store it is the payload alone.")
	for i, sessions := range crowds {
		table(many(sessions)+" sessions in | instances | their cores | their GB | store: cores | GB | shards (memory, processor) | Gbit/s with it | Gbit/s from browsers | bytes of cookie", 9)
		for _, row := range r.Rows {
			n := row.Needs[i]
			if math.IsInf(n.Instances, 0) {
				line("| %s | no number is enough | | | | | | | | |", row.Label)
				continue
			}
			shards := "–"
			if row.serverCores != nil && row.ID != "postgres" && row.ID != "nats" {
				shards = record.Count(n.Shards)
				if row.shards {
					shards += fmt.Sprintf(" (%s, %s)", record.Count(n.ByMemory), record.Count(n.ByCPU))
				} else if n.ByMemory > 1 || n.ByCPU > 1 {
					shards = fmt.Sprintf("too small (%s, %s)", record.Count(n.ByMemory), record.Count(n.ByCPU))
				}
			}
			line("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |", row.Label, record.Count(n.Instances), record.Short(n.InstanceCores), record.Short(n.InstanceGB),
				record.Short(n.StoreCores), record.Short(n.StoreGB), shards, record.Short(n.StoreGbit), record.Short(n.UpGbit), record.Count(n.Cookie))
		}
	}
	line("\n</details>")
}

func (r *report) inputs(line liner, table tabler) {
	line("\n<details><summary>What it is derived from</summary>")
	line("\nTaken to be so (flags of `bin/scale`):")
	table("flag | value | what", 1)
	r.Usage.fields(func(name, _, about string, value any) {
		text := ""
		switch value := value.(type) {
		case *float64:
			text = fmt.Sprint(*value)
		case *time.Duration:
			text = span(*value)
		}
		line("| `-%s` | %s | %s |", name, text, about)
	})
	line("\nMeasured:")
	table("figure | value | where", 1)
	for _, f := range r.Inputs {
		line("| %s | %s | %s |", f.ID, strings.TrimSpace(record.Short(f.Value)+" "+f.Unit), f.From)
	}
	line("\nNot measured, and taken for it instead:\n")
	for _, text := range r.StandIns {
		line("- %s", text)
	}
	for _, id := range r.Missing {
		line("- MISSING: %s; what hangs on it is left out", id)
	}
	line("\n</details>")
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// many is a number of sessions.
func many(n float64) string {
	switch {
	case n >= most:
		return "any"
	case n >= 1e6:
		return record.Short(n/1e6) + " M"
	case n >= 1e4 || n == 1e3:
		return record.Count(n/1e3) + " k"
	}
	return record.Count(n)
}

// span is a duration as one writes it.
func span(d time.Duration) string {
	text := strings.TrimSuffix(d.String(), "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	if text == "" || !strings.ContainsAny(text[len(text)-1:], "hms") {
		return d.String()
	}
	return text
}
