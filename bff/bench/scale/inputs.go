package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloakroom/shared/lab"
)

// figure is one input and where it was measured.
type figure struct {
	ID    string  `json:"id"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	From  string  `json:"from"`
}

// inputs are all figures that were found. used and missing grow as the model asks.
type inputs struct {
	found    map[string]figure
	used     []string
	missing  []string
	requests string // the file that told of requests; "": none did
}

// committed is where make bench README=1 leaves its figures.
const committed = "bff/bench/committed.txt"

func (in *inputs) put(id string, value float64, unit, from string) {
	in.found[id] = figure{id, value, unit, from}
}

// get returns a figure; NaN when nobody measured it, which makes everything NaN
// that is derived from it.
func (in *inputs) get(id string) float64 {
	f, ok := in.found[id]
	list := &in.used
	if !ok {
		f.Value, list = math.NaN(), &in.missing
	}
	if !slices.Contains(*list, id) {
		*list = append(*list, id)
	}
	return f.Value
}

// figures are those that were used.
func (in *inputs) figures() (list []figure) {
	for _, id := range in.used {
		list = append(list, in.found[id])
	}
	return list
}

// places are the files of measurements; "": there is none, and the README's
// tables are read.
type places struct{ readme, requests, pushes, stores, topologies string }

func read(p places) (*inputs, error) {
	in := &inputs{found: map[string]figure{}}
	text, err := os.ReadFile(p.readme)
	if err != nil {
		return nil, err
	}
	readme := string(text)
	for _, file := range strings.Split(p.requests, ",") {
		ok, err := in.readRequests(file)
		if err != nil {
			return nil, err
		}
		if ok {
			in.requests = file
			break
		}
	}
	if _, err := in.readRequests(p.pushes); err != nil {
		return nil, err
	}
	if p.stores != "" {
		err = in.readStores(p.stores)
	} else {
		err = in.readStoreTable(readme)
	}
	if err != nil {
		return nil, err
	}
	if p.topologies != "" {
		err = in.readTopologies(p.topologies)
	} else {
		err = in.readTopologyTable(readme)
	}
	if err != nil {
		return nil, err
	}
	return in, in.weigh()
}

// requestUnits are the columns of the request bench that are of use.
var requestUnits = map[string]string{"cpu-us/op": "µs", "store-us/op": "µs", "rss-B": "B", "us": "µs"}

// readRequests reads the benchmarks of a file that benchstat reads too. It takes
// the median of each, and reports whether there were any.
// https://go.dev/design/14313-benchmark-format
func (in *inputs) readRequests(file string) (bool, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	values, units := map[string][]float64{}, map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			unit, ok := requestUnits[fields[i+1]]
			value, err := strconv.ParseFloat(fields[i], 64)
			if !ok {
				continue
			}
			if err != nil {
				return false, fmt.Errorf("%s: %q: %w", file, lines.Text(), err)
			}
			id := strings.TrimPrefix(fields[0], "Benchmark")
			if fields[i+1] != "us" {
				id += " " + fields[i+1]
			}
			values[id], units[id] = append(values[id], value), unit
		}
	}
	for id, list := range values {
		slices.Sort(list)
		in.put(id, (list[len(list)/2]+list[(len(list)-1)/2])/2, units[id], fmt.Sprintf("`%s`, median of %d", file, len(list)))
	}
	return len(values) > 0, nil
}

// storeColumns are what the table of the stores has, beside the label.
var storeColumns = []string{"Get", "Update", "Create"}

// storeNames are the names that rows of the README have in the JSON.
var storeNames = map[string]string{
	"memory": "memory", "redis, nothing on disk": "redis", "postgres": "postgres",
	"nats, three instances' memory, in one process": "nats-cluster",
}

func (in *inputs) putStore(name, what string, ours, server float64, from string) {
	in.put("store/"+name+" "+what, ours, "µs", from)
	in.put("store/"+name+" "+what+" server", server, "µs", from)
}

func (in *inputs) readStores(file string) error {
	type cost struct {
		Ours   float64 `json:"cpu_ours_us"`
		Server float64 `json:"cpu_server_us"`
	}
	var r struct {
		Stores []struct {
			Name                string
			Get, Update, Create cost
			BytesPerSession     float64 `json:"bytes_per_session"`
		}
	}
	if err := readJSON(file, &r); err != nil {
		return err
	}
	from := "`" + filepath.Base(file) + "` of `make bench-stores`"
	for _, s := range r.Stores {
		for i, c := range []cost{s.Get, s.Update, s.Create} {
			in.putStore(s.Name, storeColumns[i], c.Ours, c.Server, from)
		}
		in.put("store/"+s.Name+" bytes", s.BytesPerSession, "B", from)
	}
	return nil
}

// readStoreTable reads the same from the README, where it is rounded.
func (in *inputs) readStoreTable(readme string) error {
	_, rest, _ := strings.Cut(readme, "<!-- bench-stores -->\n")
	table, _, ok := strings.Cut(rest, "<!-- /bench-stores -->")
	if !ok {
		return errors.New("the README has no table of stores")
	}
	const from = "README, What a session costs in each store"
	for line := range strings.Lines(table) {
		cells := cellsOf(line)
		name := ""
		if len(cells) == 11 {
			name = storeNames[cells[0]]
		}
		if name == "" {
			continue
		}
		for i, what := range storeColumns {
			ours, server, _ := strings.Cut(cells[2+3*i], " + ")
			in.putStore(name, what, number(ours), number(server), from)
		}
		in.put("store/"+name+" bytes", number(cells[10]), "B", from)
	}
	return nil
}

// awayID is how long calls were answered 503 when a primary of the Cluster died.
const awayID = "topology/redis-cluster-n failover, 503 for"

func (in *inputs) readTopologies(file string) error {
	var r lab.TopologyReport
	if err := readJSON(file, &r); err != nil {
		return err
	}
	from := "`" + filepath.Base(file) + "` of `make topologies`"
	for _, p := range r.Played {
		if p.Event == lab.Steady && p.RoundTrips != nil {
			in.put("topology/"+p.Topology+" round trips", *p.RoundTrips, "a request", from)
		}
		if p.Event == lab.Failover && p.Topology == "redis-cluster-n" && p.Recovery != nil {
			in.put(awayID, *p.Recovery/1000, "s", from)
			if n := p.Requests.All(); n > 0 && len(p.Timeline) > p.Begins {
				in.put(awayShareID, shareAway(p), "", from)
				in.put(awayRateID, rateOf(p), "/s", from)
			}
		}
	}
	return nil
}

// What the lab saw of a failover of a Cluster, to hold the simulation to.
const (
	awayShareID = "topology/redis-cluster-n failover, share of 503"
	awayRateID  = "topology/redis-cluster-n failover, calls"
)

// shareAway is the share of 503 between the event and the last of them.
func shareAway(p lab.Played) float64 {
	var away, all int
	ticks := p.Begins + int(math.Ceil(*p.Recovery*1e6/float64(p.Tick)))
	for i := p.Begins; i < min(ticks, len(p.Timeline)); i++ {
		away, all = away+p.Timeline[i].Declared, all+p.Timeline[i].All()
	}
	return float64(away) / float64(all)
}

// rateOf is how many requests a second the lab made before the event.
func rateOf(p lab.Played) float64 {
	n := 0
	for _, o := range p.Timeline[:p.Begins] {
		n += o.All()
	}
	return float64(n) / (float64(p.Begins) * p.Tick.Seconds())
}

var awayText = regexp.MustCompile(`^503 for ([0-9.]+) s$`)

func (in *inputs) readTopologyTable(readme string) error {
	const from = "README, One server, many servers"
	failover, trips := -1, -1
	for line := range strings.Lines(readme) {
		cells := cellsOf(line)
		switch {
		case slices.Contains(cells, "store calls a request"):
			failover, trips = slices.Index(cells, "it fails over"), slices.Index(cells, "store calls a request")
		case trips < 0 || len(cells) <= trips || failover < 0 || !strings.HasPrefix(cells[0], "`"):
		default:
			name := strings.Trim(cells[0], "`")
			in.put("topology/"+name+" round trips", number(cells[trips]), "a request", from)
			if away := awayText.FindStringSubmatch(cells[failover]); away != nil && name == "redis-cluster-n" {
				in.put(awayID, number(away[1]), "s", from)
			}
		}
		if trips >= 0 && strings.TrimSpace(line) == "" {
			return nil
		}
	}
	return errors.New("the README has no table of topologies")
}

func cellsOf(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// number reads a figure of a table: grouped digits, and what follows after a space.
func number(text string) float64 {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	value, err := strconv.ParseFloat(strings.ReplaceAll(first, ",", ""), 64)
	if err != nil {
		return math.NaN()
	}
	return value
}

func readJSON(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
