package playground

import (
	"fmt"
	"strings"

	"cloakroom/bff/lab/balancer"
	"cloakroom/shared/lab"
)

// placeOf is where a session is that an instance made.
func (g *game) placeOf(by string) string {
	switch k := g.topology.Kind; k {
	case lab.InMemory:
		return "in the memory of instance " + by
	case lab.InFile:
		return "in the file of instance " + by
	}
	return g.topology.Keeps
}

// gotOf is what a browser got that signed in by way of an instance.
func (g *game) gotOf(by string) string {
	if g.topology.Kind == lab.InBrowser {
		return "Your browser got the session itself, sealed; no instance keeps it."
	}
	return "Your session is " + g.placeOf(by) + "; your browser got the ticket."
}

// refusal says why a session was not found: r is a request that was answered with
// 401, and s what is known of its session.
func (g *game) refusal(r balancer.Request, s *held) string {
	to := "instance " + r.Instance
	switch k := g.topology.Kind; {
	case s.gone != "":
		return s.gone
	case !k.Shared() && r.Instance != s.by && g.stateOf(s.by) != lab.NodeUp:
		return "Instance " + s.by + ", which has your session, is " + stateWord(g.stateOf(s.by)) + ". So the balancer sent you to " + to + ", which has never seen it."
	case !k.Shared() && r.Instance != s.by:
		return "The balancer sent you to " + to + ", which has never seen your session: it is " + g.placeOf(s.by) + ", and nowhere else."
	case g.full && k == lab.InMemory:
		s.gone = "The memory of " + to + " is full, and the longest unused sessions had to go: yours was one of them."
	case g.full:
		s.gone = "The store ran out of memory and made room: your session had to go."
	case k == lab.RedisSentinel || k == lab.RedisCluster:
		s.gone = "The store does not have your session any more. What a primary has confirmed and not yet passed on is lost when it dies."
	default:
		s.gone = "Your session has ended: " + to + " looked for it and found nothing."
	}
	return s.gone
}

// wordsFor is why a request is worth a word; "": it is not.
func (g *game) wordsFor(r balancer.Request) string {
	s := g.sessions[r.Session]
	switch {
	case needsSession(r.Path) && r.Status == 401 && s != nil:
		return s.missed
	case r.Instance == "" && r.Status == 503:
		return "No instance can take requests, and the balancer said so itself. Your ticket stays as good as it was."
	case r.Instance == "" && r.Status == 502:
		return "Instance " + and(r.Tried) + " broke off before it answered. Nobody knows what it did, so the balancer sent nothing again."
	case r.Status == 503:
		return "Instance " + r.Instance + " cannot ask the store, so it answered 503. Your ticket stays good: not there is something else than down."
	case len(r.Tried) > 0 && r.Status < 400:
		return "Instance " + and(r.Tried) + " could not take a request, and the balancer sent it on to " + r.Instance + ". You noticed nothing."
	case r.Stuck == balancer.Moved && needsSession(r.Path) && r.Status < 400:
		return "The instance you stick to is away. Instance " + r.Instance + " took your request, and found your session " + g.topology.Keeps + "."
	}
	return ""
}

// compare tells what became of the processes.
func (g *game) compare(before, now lab.Deployed) {
	for _, node := range now.Nodes {
		old, known := find(before, node)
		switch {
		case !known && len(before.Nodes) > 0 && node.Kind == lab.NodeServer:
			g.tell(lab.Good, "Instance "+node.Name+" joined. The balancer sends it requests from now on.")
		case !known:
		case node.Kind == lab.NodeServer:
			g.serverTurned(old, node)
		default:
			g.partyTurned(old, node)
		}
	}
}

func (g *game) serverTurned(old, now lab.Node) {
	name := "Instance " + now.Name
	if old.Cut != now.Cut {
		if now.Cut {
			g.tell(lab.Bad, name+" is cut from the store: nothing it says arrives there, and nothing comes back.")
		} else {
			g.tell(lab.Good, name+" reaches the store again.")
		}
	}
	if old.State == now.State {
		return
	}
	how := "was killed"
	if old.State == lab.NodeDraining {
		how = "ended, as it was told to"
	}
	switch {
	case now.State == lab.NodeDraining:
		g.tell(lab.Plain, name+" was told to end. It says so on /readyz, finishes what it has begun, and gets nothing new.")
	case now.State == lab.NodeDown:
		g.tell(lab.Bad, name+" "+how+"."+g.lostWith(now.Name, how))
	case now.State == lab.NodeStarting && old.State != lab.NodeDown: // it was down for less than a look
		g.tell(lab.Bad, name+" "+how+" and starts again."+g.lostWith(now.Name, how))
	case now.State == lab.NodeUp && g.topology.Kind == lab.InMemory:
		if old.State != lab.NodeDown && old.State != lab.NodeStarting {
			g.lostWith(now.Name, how)
		}
		g.tell(lab.Good, name+" is back, and its memory is empty.")
	case now.State == lab.NodeUp:
		g.tell(lab.Good, name+" is back.")
	}
}

// lostWith ends the sessions that were in an instance's memory alone, and says
// what that means.
func (g *game) lostWith(name, how string) string {
	switch {
	case g.topology.Kind == lab.InFile:
		return " Its file is still there."
	case g.topology.Kind == lab.Replicated:
		return " The others have copies of what it had."
	case g.topology.Kind != lab.InMemory:
		return " No session is lost: none was in it."
	}
	n := 0
	for _, s := range g.sessions {
		if s.by == name && s.gone == "" {
			s.gone = "Instance " + name + " " + how + ", and your session died with it: it was in its memory, and nowhere else."
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return " Your session, which was in its memory and nowhere else, died with it."
}

func (g *game) partyTurned(old, now lab.Node) {
	name := map[lab.NodeKind]string{lab.NodeProvider: "The provider", lab.NodeAPI: "The API"}[now.Kind]
	if name == "" {
		name = sentenceCase(now.Name)
	}
	switch {
	case old.State != now.State && now.State == lab.NodeDown && now.Kind == lab.NodeProvider:
		g.tell(lab.Bad, name+" refuses connections. Who is signed in stays so; nobody can sign in, and no token is renewed.")
	case old.State != now.State && now.State == lab.NodeDown:
		g.tell(lab.Bad, name+" is down."+g.lostWithStore())
	case old.State != now.State && now.State == lab.NodeUp:
		g.tell(lab.Good, name+" is back.")
	}
	if old.Role != now.Role && now.Role == "primary" {
		g.tell(lab.Good, name+" is the primary now.")
	}
}

// lostWithStore ends what a store does not keep across its end.
func (g *game) lostWithStore() string {
	if g.topology.Kind != lab.Memcached {
		return ""
	}
	g.loseAll("memcached went down, and keeps nothing on disk: your session went with it.")
	return " It keeps nothing on disk, so every session went with it."
}

func (g *game) loseAll(why string) {
	for _, s := range g.sessions {
		if s.gone == "" {
			s.gone = why
		}
	}
}

// compareServers tells what the balancer found.
func (g *game) compareServers(before, now []lab.Served) {
	for _, s := range now {
		for _, old := range before {
			if old.Name != s.Name || old.State == s.State {
				continue
			}
			switch s.State {
			case lab.NodeUp:
				g.tell(lab.Plain, "The balancer sends requests to instance "+s.Name+" again.")
			case lab.NodeDraining:
				g.tell(lab.Plain, "The balancer noticed that instance "+s.Name+" leaves, and sends it nothing new.")
			default:
				g.tell(lab.Plain, "The balancer noticed that instance "+s.Name+" is down: "+s.Why+".")
			}
		}
	}
}

// after tells of an event that cannot be seen at the processes.
func (g *game) after(e lab.Event, c lab.Cue) {
	switch c.Event {
	case lab.FlushStore:
		if g.topology.Kind == lab.InBrowser {
			g.tell(lab.Bad, "The store was flushed. Sessions are in the browsers, so none is lost; what is, is the memory of which ones ended.")
			return
		}
		g.loseAll("The store was flushed, and your session with it.")
		g.tell(lab.Bad, "The store was flushed: every session is gone.")
	case lab.FullStore:
		g.full = true
		g.tell(lab.Bad, "Memory is used up: "+e.Does+".")
	case lab.RotateKeys:
		g.tell(lab.Plain, "A new key is first in every instance's ring. It opens within ten seconds, seals twenty seconds later, and the old one still opens.")
	case lab.Rolling:
		g.tell(lab.Good, "Every instance was ended and started again, one after the other.")
	case lab.Mend:
		g.full = false
		g.tell(lab.Good, "Everything is put right.")
	}
}

func (g *game) stateOf(server string) lab.NodeState {
	for _, n := range g.play.Deployed.Nodes {
		if n.Kind == lab.NodeServer && n.Name == server && n.State != lab.NodeUp {
			return n.State
		}
	}
	for _, s := range g.play.Servers {
		if s.Name == server {
			return s.State
		}
	}
	return lab.NodeUp
}

func find(d lab.Deployed, node lab.Node) (lab.Node, bool) {
	for _, n := range d.Nodes {
		if n.Kind == node.Kind && n.Name == node.Name {
			return n, true
		}
	}
	return lab.Node{}, false
}

func stateWord(s lab.NodeState) string {
	if s == lab.NodeDraining {
		return "leaving"
	}
	return string(s)
}

func and(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func count(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func sentenceCase(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func sentence(text string) string { return sentenceCase(text) + "." }
