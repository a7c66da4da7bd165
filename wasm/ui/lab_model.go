package ui

import (
	"net/url"
	"slices"
	"strings"

	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
)

// Matrix is a report of the lab, and what of it is shown.
type Matrix struct {
	Phase   Phase
	Failure Failure
	Absent  bool // no report came with this build
	Report  lab.Report
	Filter  Filter

	cells    map[Key]lab.Cell
	measures map[Key]lab.Measure
	cursor   map[Table]Key
}

// Filter is what is left out. Its zero value leaves out nothing.
type Filter struct {
	Text    string
	Verdict lab.Verdict
	Family  lab.Family
}

// Table is one of the two.
type Table string

// The tables, by the names they have in addresses.
const (
	Attacks    Table = "cell"
	Properties Table = "measure"
)

// Key names a box of a table.
type Key struct {
	Table       Table
	Row, Column string
}

// Address is where a box's evidence is shown.
func (k Key) Address() string {
	return pathLab + "?" + string(k.Table) + "=" + url.QueryEscape(k.Row) + "," + url.QueryEscape(k.Column)
}

// ID names a box in the page.
func (k Key) ID() string { return string(k.Table) + "-" + k.Row + "-" + k.Column }

// KeyOf reads an address of the lab's page.
func KeyOf(address string) (Key, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Path != pathLab {
		return Key{}, false
	}
	for _, table := range []Table{Attacks, Properties} {
		row, column, ok := strings.Cut(u.Query().Get(string(table)), ",")
		if ok && row != "" && column != "" {
			return Key{table, row, column}, true
		}
	}
	return Key{}, false
}

// Loaded takes the report.
func (m *Matrix) Loaded(r lab.Report) {
	*m = Matrix{Phase: Ready, Report: r, Filter: m.Filter, Absent: len(r.Cells) == 0,
		cells: map[Key]lab.Cell{}, measures: map[Key]lab.Measure{}, cursor: map[Table]Key{}}
	for _, c := range r.Cells {
		m.cells[Key{Attacks, c.Strategy, c.Attack}] = c
	}
	for _, one := range r.Measures {
		m.measures[Key{Properties, one.Strategy, one.Property}] = one
	}
}

// LoadFailed notes why there is no report. None in this build is no failure.
func (m *Matrix) LoadFailed(f Failure) {
	m.Phase, m.Failure, m.Absent = Failed, f, f.Code == problem.NotFound
}

// Cell is the evidence of a box of the attacks.
func (m *Matrix) Cell(k Key) (lab.Cell, bool) { c, ok := m.cells[k]; return c, ok }

// Measure is the evidence of a box of the properties.
func (m *Matrix) Measure(k Key) (lab.Measure, bool) { found, ok := m.measures[k]; return found, ok }

// Grid is a table as it is shown.
type Grid struct {
	Table   Table
	Columns []Column
	Lines   []Line
}

// Column is an attack or a property.
type Column struct{ ID, Name, About string }

// Line is a strategy and its boxes, one to a column.
type Line struct {
	Strategy lab.Strategy
	Boxes    []Box
}

// Box is one outcome. Muted: the filter is after others.
type Box struct {
	Key   Key
	Mark  Mark
	Why   string
	Muted bool
}

// Grid is what the filter leaves of a table: strategies and columns in the
// catalogue's order, those that the report has. Text that is found in a
// strategy keeps the strategies it is found in; otherwise the columns.
func (m *Matrix) Grid(table Table) Grid {
	columns, rows := m.columns(table), m.rows(table)
	text := strings.ToLower(strings.TrimSpace(m.Filter.Text))
	if text != "" {
		has := func(parts ...string) bool { return strings.Contains(strings.ToLower(strings.Join(parts, "\n")), text) }
		named := slices.DeleteFunc(slices.Clone(rows), func(s lab.Strategy) bool { return !has(s.ID, s.Name, s.Keeps) })
		if len(named) == 0 {
			columns = slices.DeleteFunc(columns, func(c Column) bool { return !has(c.ID, c.Name, c.About) })
		}
		if len(named) > 0 || len(columns) == 0 {
			rows = named
		}
	}
	g := Grid{Table: table, Columns: columns}
	for _, s := range rows {
		if m.Filter.Family != "" && s.Family() != m.Filter.Family {
			continue
		}
		line, any := Line{Strategy: s}, false
		for _, c := range columns {
			box := m.box(Key{table, s.ID, c.ID})
			any = any || !box.Muted
			line.Boxes = append(line.Boxes, box)
		}
		if any {
			g.Lines = append(g.Lines, line)
		}
	}
	return g
}

func (m *Matrix) box(k Key) Box {
	if k.Table == Properties {
		found, ok := m.measures[k]
		if !ok {
			return Box{Key: k, Mark: MarkOf("")}
		}
		return Box{Key: k, Mark: markOf(found), Why: whyFound(found)}
	}
	c := m.cells[k] // one that was not run has no verdict
	return Box{Key: k, Mark: MarkOf(c.Verdict), Why: Why(c), Muted: m.Filter.Verdict != "" && c.Verdict != m.Filter.Verdict}
}

// rows are the strategies of a table, those the catalogue does not know last.
func (m *Matrix) rows(table Table) []lab.Strategy {
	var ids []string
	for _, c := range m.Report.Cells {
		ids = append(ids, c.Strategy)
	}
	if table == Properties {
		ids = nil
		for _, one := range m.Report.Measures {
			ids = append(ids, one.Strategy)
		}
	}
	var rows []lab.Strategy
	for _, id := range inOrder(ids, lab.Strategies(), func(s lab.Strategy) string { return s.ID }) {
		s, known := lab.FindStrategy(id)
		if !known {
			s = lab.Strategy{ID: id, Name: id}
		}
		rows = append(rows, s)
	}
	return rows
}

func (m *Matrix) columns(table Table) []Column {
	var ids []string
	var columns []Column
	if table == Properties {
		for _, one := range m.Report.Measures {
			ids = append(ids, one.Property)
		}
		for _, id := range inOrder(ids, lab.Properties(), func(p lab.Property) string { return p.ID }) {
			columns = append(columns, propertyColumn(id))
		}
		return columns
	}
	for _, c := range m.Report.Cells {
		ids = append(ids, c.Attack)
	}
	for _, id := range inOrder(ids, lab.Attacks(), func(a lab.Attack) string { return a.ID }) {
		columns = append(columns, attackColumn(id))
	}
	return columns
}

func attackColumn(id string) Column {
	a, known := lab.FindAttack(id)
	if !known {
		return Column{ID: id, Name: id}
	}
	return Column{id, a.Name, a.Does}
}

func propertyColumn(id string) Column {
	p, known := lab.FindProperty(id)
	if !known {
		return Column{ID: id, Name: id}
	}
	return Column{id, p.Name, p.Measures}
}

// inOrder is each of ids once, in the order of a list, unknown ones last.
func inOrder[T any](ids []string, list []T, id func(T) string) []string {
	place := func(one string) int {
		at := slices.IndexFunc(list, func(t T) bool { return id(t) == one })
		if at < 0 {
			return len(list)
		}
		return at
	}
	var once []string
	for _, one := range ids {
		if !slices.Contains(once, one) {
			once = append(once, one)
		}
	}
	slices.SortStableFunc(once, func(a, b string) int { return place(a) - place(b) })
	return once
}

// Cursor is the box of a table that the keyboard comes to: where it was, or the
// first.
func (m *Matrix) Cursor(g Grid) Key {
	if k := m.cursor[g.Table]; g.has(k) {
		return k
	}
	if len(g.Lines) == 0 || len(g.Columns) == 0 {
		return Key{}
	}
	return g.Lines[0].Boxes[0].Key
}

func (g Grid) has(k Key) bool { row, column := g.place(k); return row >= 0 && column >= 0 }

func (g Grid) place(k Key) (row, column int) {
	return slices.IndexFunc(g.Lines, func(l Line) bool { return l.Strategy.ID == k.Row }),
		slices.IndexFunc(g.Columns, func(c Column) bool { return c.ID == k.Column })
}

// Move takes the cursor from a box by a key of the keyboard, and reports whether
// it is one that moves.
func (m *Matrix) Move(from Key, key string) (Key, bool) {
	g := m.Grid(from.Table)
	row, column := g.place(from)
	if row < 0 || column < 0 {
		return from, false
	}
	switch key {
	case "ArrowUp":
		row--
	case "ArrowDown":
		row++
	case "ArrowLeft":
		column--
	case "ArrowRight":
		column++
	case "Home":
		column = 0
	case "End":
		column = len(g.Columns) - 1
	default:
		return from, false
	}
	to := g.Lines[min(max(row, 0), len(g.Lines)-1)].Boxes[min(max(column, 0), len(g.Columns)-1)].Key
	m.cursor[from.Table] = to
	return to, true
}

// Summary says how a grid of attacks came out.
func (g Grid) Summary() string {
	broken, held := 0, 0
	for _, line := range g.Lines {
		for _, box := range line.Boxes {
			switch box.Mark.Class {
			case "broken":
				broken++
			case "held":
				held++
			}
		}
	}
	strategies := Number(len(g.Lines)) + " strategies"
	if len(g.Lines) == 1 {
		strategies = "1 strategy"
	}
	return strategies + ", " + Count(len(g.Columns), "attack") + ": " + Number(broken) + " broken, " + Number(held) + " held."
}
