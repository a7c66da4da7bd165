package ui

import (
	"fmt"
	"strings"

	"cloakroom/shared/lab"
)

// Picture is a topology as it is drawn: boxes, and the edges between them, on a
// ground that is pictureWidth wide.
type Picture struct {
	Height int
	Edges  []Edge
	Boxes  []Party
	Words  string // all of it, for those who do not see it
}

const pictureWidth = 480

// Edge is a line. Hop is the class of what travels, and HopPath along which way: ""
// is nothing.
type Edge struct {
	Path    string
	Class   string
	Hop     string
	HopPath string
	Label   string
	X, Y    int // of the label's middle
}

// Party is a browser, a balancer, a server or a store.
type Party struct {
	X, Y, W, H int
	Class      string
	Name       string
	Notes      []string
	Coat       string // what of the session is there; "": nothing
}

func (b Party) mid() int { return b.X + b.W/2 }

// row lays n boxes side by side.
func row(n, y, h, most int) []Party {
	const gap = 14
	n = max(n, 1)
	w := min(most, (pictureWidth-gap*(n+1))/n)
	left := (pictureWidth - n*w - (n-1)*gap) / 2
	boxes := make([]Party, n)
	for i := range boxes {
		boxes[i] = Party{X: left + i*(w+gap), Y: y, W: w, H: h}
	}
	return boxes
}

const (
	browserY, browserH   = 6, 84
	balancerY, balancerH = 130, 56
	serversY, serversH   = 238, 108
	storesY, storesH     = 412, 78
)

// stateWords are the states for a person, never by colour alone.
var stateWords = map[lab.NodeState]string{
	lab.NodeUp: "up", lab.NodeStarting: "starting", lab.NodeDraining: "leaving", lab.NodeDown: "down",
}

// Sketch is a topology as it would stand, with n servers where it has many.
func Sketch(t lab.Topology, n int) Picture {
	if !t.Many {
		n = 1
	}
	play := lab.Play{Topology: t.ID}
	for i := range n {
		name := string(rune('a' + i))
		play.Deployed.Nodes = append(play.Deployed.Nodes, lab.Node{Kind: lab.NodeServer, Name: name, State: lab.NodeUp})
	}
	play.You = lab.Guest{Session: "yours", At: []string{lab.AtStore}}
	switch {
	case t.Kind == lab.InBrowser:
		play.You.At = []string{lab.AtBrowser}
	case t.Kind == lab.Replicated:
		play.You.At = []string{"a", "b", "c"}
	case !t.Kind.Outside():
		play.You.At = []string{"a"}
	}
	stores := map[lab.StoreKind]int{lab.RedisSentinel: 3, lab.RedisCluster: 6}[t.Kind]
	if t.Kind.Outside() {
		for i := range max(stores, 1) {
			node := lab.Node{Kind: lab.NodeStore, Name: storeName(t.Kind), State: lab.NodeUp}
			if stores > 1 {
				node.Name = fmt.Sprintf("redis-%d", i+1)
			}
			if t.Kind == lab.InBrowser {
				node.Name = "redis"
			}
			play.Deployed.Nodes = append(play.Deployed.Nodes, node)
		}
	}
	p := Playing{Play: &play}
	return p.draw(false)
}

// Draw is the topology as it stands.
func (p *Playing) Draw() Picture { return p.draw(true) }

func (p *Playing) draw(live bool) Picture {
	t, you := p.Topology(), p.Play.You
	var servers, stores []lab.Node
	for _, node := range p.Play.Deployed.Nodes {
		switch node.Kind {
		case lab.NodeServer:
			servers = append(servers, node)
		case lab.NodeStore:
			stores = append(stores, node)
		}
	}
	if t.Kind == lab.InFile {
		stores = []lab.Node{{Kind: lab.NodeStore, Name: "its file", State: lab.NodeUp}}
	}
	at := map[string]bool{}
	for _, name := range you.At {
		at[name] = true
	}

	browser := Party{X: 140, Y: browserY, W: 200, H: browserH, Class: "browser", Name: "your browser"}
	switch {
	case at[lab.AtBrowser]:
		browser.Coat = "session"
	case you.Session != "":
		browser.Coat = "ticket"
	case live:
		browser.Notes = []string{"no ticket"}
	}
	balancer := Party{X: 120, Y: balancerY, W: 240, H: balancerH, Class: "balancer", Name: "balancer", Notes: []string{balanceName(t.Balance)}}
	made := Picture{Height: serversY + serversH + 6}
	words := []string{"Your browser", "then a balancer, " + balanceName(t.Balance)}
	made.Edges = append(made.Edges, p.toBalancer(browser, balancer))

	boxes := row(len(servers), serversY, serversH, 132)
	for i, node := range servers {
		said := p.servedBy(node.Name)
		b := boxes[i]
		b.Name, b.Class = node.Name, "server "+string(stateOf(node, said))
		if b.W > 100 {
			b.Name = "instance " + node.Name
		}
		if live {
			b.Notes = append(b.Notes, stateText(node, said))
			if said.Sessions != nil {
				b.Notes = append(b.Notes, plural(*said.Sessions, "session"))
			}
		}
		if at[node.Name] {
			b.Coat = "session"
		}
		boxes[i] = b
		made.Edges = append(made.Edges, p.toServer(balancer, b, node.Name))
		words = append(words, p.wordsOf(node, said, at[node.Name]))
	}
	made.Boxes = append(made.Boxes, browser, balancer)
	if t.Kind == lab.Replicated {
		made.Height += 34
		made.Edges = append(made.Edges, sharing(boxes)...)
	}
	if len(stores) > 0 {
		below, frame := shelves(stores, live)
		for _, node := range stores {
			words = append(words, strings.TrimSpace(node.Name+" "+node.Role)+" is "+stateWords[node.State])
		}
		switch {
		case at[lab.AtStore]: // which of several nodes has it, only they know
			frame.Coat = "session"
		case t.Kind == lab.InFile && len(you.At) > 0:
			frame.Coat, boxes[0].Coat = "session", ""
		}
		made.Height = frame.Y + frame.H + 6
		for i, node := range servers {
			made.Edges = append(made.Edges, p.toStore(boxes[i], frame, node))
		}
		made.Boxes = append(append(made.Boxes, frame), below...)
	}
	made.Boxes = append(made.Boxes, boxes...)
	made.Words = sentence(strings.Join(words, "; "))
	return made
}

// shelves lays the store's nodes out, three in a row, with a frame around them. One
// alone is its own frame.
func shelves(nodes []lab.Node, live bool) (boxes []Party, frame Party) {
	const across, gap, h = 3, 10, 58
	say := func(b Party, node lab.Node) Party {
		b.Name, b.Class = node.Name, "store "+string(node.State)
		if live {
			b.Notes = []string{strings.TrimSpace(node.Role + " " + storeState(node))}
		}
		return b
	}
	if len(nodes) == 1 {
		return nil, say(row(1, storesY, storesH+12, 170)[0], nodes[0])
	}
	for y := storesY + gap; len(nodes) > 0; y += h + gap {
		n := min(across, len(nodes))
		for i, b := range row(n, y, h, 138) {
			boxes = append(boxes, say(b, nodes[i]))
		}
		nodes = nodes[n:]
	}
	last := boxes[len(boxes)-1]
	left, right := boxes[0].X, boxes[0].X+boxes[0].W
	for _, b := range boxes {
		left, right = min(left, b.X), max(right, b.X+b.W)
	}
	return boxes, Party{X: left - gap, Y: storesY, W: right - left + 2*gap, H: last.Y + last.H + gap + 34 - storesY, Class: "frame"}
}

// stateOf is how a server is: as its process is, or as the balancer finds it, if
// that is worse.
func stateOf(node lab.Node, said lab.Served) lab.NodeState {
	if node.State == lab.NodeUp && said.State != "" {
		return said.State
	}
	return node.State
}

// stateText tells a process that is not there from one that says it cannot serve.
func stateText(node lab.Node, said lab.Served) string {
	if node.State == lab.NodeUp && said.State == lab.NodeDown {
		return "not ready"
	}
	return stateWords[stateOf(node, said)]
}

func storeState(node lab.Node) string {
	if node.State == lab.NodeUp {
		if node.Role != "" {
			return ""
		}
		return "up"
	}
	return stateWords[node.State]
}

func (p *Playing) servedBy(name string) lab.Served {
	for _, s := range p.Play.Servers {
		if s.Name == name {
			return s
		}
	}
	return lab.Served{Name: name}
}

func (p *Playing) wordsOf(node lab.Node, said lab.Served, has bool) string {
	text := "instance " + node.Name + " is " + stateText(node, said)
	if has {
		text += ", with your session"
	}
	if node.Cut {
		text += ", cut from the store"
	}
	return text
}

// toBalancer is the first piece of every way. It is as the last request was.
func (p *Playing) toBalancer(from, to Party) Edge {
	e := Edge{Path: fmt.Sprintf("M%d %d V%d", from.mid(), from.Y+from.H, to.Y), Class: "edge"}
	for _, trip := range p.trips {
		if trip.Fresh {
			e.Class = "edge took " + string(trip.Mark)
			if trip.Mark != HopServed {
				break
			}
		}
	}
	if n := len(p.Play.Hops); n > 0 && p.Play.Hops[n-1].Server == "" {
		e.Class = "edge took " + string(HopFailed)
	}
	return e
}

// toServer is the way from the balancer on. What travels comes from the browser.
func (p *Playing) toServer(balancer, b Party, name string) Edge {
	top, x := balancer.Y+balancer.H, balancer.mid()
	curve := fmt.Sprintf("C%d %d %d %d %d %d", x, top+30, b.mid(), b.Y-34, b.mid(), b.Y)
	e := Edge{Path: fmt.Sprintf("M%d %d %s", x, top, curve), Class: "edge", HopPath: fmt.Sprintf("M%d %d V%d %s", x, browserY+browserH, top, curve)}
	if trip := p.trips[name]; trip.Fresh {
		e.Class = "edge took " + string(trip.Mark)
		e.Hop = "hop " + string(trip.Mark) + " " + beat(trip.Turn)
	}
	return e
}

func (p *Playing) toStore(from, store Party, node lab.Node) Edge {
	bottom := from.Y + from.H
	x := store.mid() + (from.mid()-pictureWidth/2)*store.W/pictureWidth*2/3
	e := Edge{
		Path:  fmt.Sprintf("M%d %d C%d %d %d %d %d %d", from.mid(), bottom, from.mid(), bottom+34, x, store.Y-34, x, store.Y),
		Class: "edge", X: from.mid(), Y: bottom + 22,
	}
	e.HopPath = e.Path
	said := p.servedBy(node.Name)
	if said.Reads+said.Writes > 0 {
		e.Label = fmt.Sprintf("%d r, %d w", said.Reads, said.Writes)
	}
	if said.Hits > 0 {
		e.Label += fmt.Sprintf(", %d near", said.Hits)
	}
	if tick := p.ticks[node.Name]; tick.Fresh {
		e.Class = "edge read"
		e.Hop = "hop served " + beat(tick.Turn)
	}
	if node.Cut {
		e.Class, e.Label = "edge cut", "cut"
	}
	return e
}

// sharing is the ways between servers that share their memory.
func sharing(boxes []Party) []Edge {
	var edges []Edge
	for i := 1; i < len(boxes); i++ {
		a, b := boxes[i-1], boxes[i]
		y := a.Y + a.H
		e := Edge{Path: fmt.Sprintf("M%d %d C%d %d %d %d %d %d", a.mid(), y, a.mid(), y+34, b.mid(), y+34, b.mid(), y), Class: "edge shared"}
		edges = append(edges, e)
	}
	if n := len(edges); n > 0 {
		edges[(n-1)/2].Label, edges[(n-1)/2].X, edges[(n-1)/2].Y = "they share their memory", pictureWidth/2, serversY+serversH+34
	}
	return edges
}

// beat alternates, so that the same class never stays when something else
// begins: an animation starts over only where its name changes.
func beat(n int) string { return [...]string{"even", "odd"}[n%2] }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
