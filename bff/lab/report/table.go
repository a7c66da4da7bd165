package report

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"cloakroom/shared/lab"
)

// Table is the matrix as text: a strategy to a row, an attack to a column, in
// the order in which they first come up.
func Table(r lab.Report) string {
	var rows, columns []string
	verdicts := map[[2]string]lab.Verdict{}
	for _, c := range r.Cells {
		rows, columns = add(rows, c.Strategy), add(columns, c.Attack)
		verdicts[[2]string{c.Strategy, c.Attack}] = c.Verdict
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "strategy\t"+strings.Join(columns, "\t"))
	for _, row := range rows {
		line := []string{row}
		for _, column := range columns {
			verdict := verdicts[[2]string{row, column}]
			if verdict == "" {
				verdict = "-"
			}
			line = append(line, string(verdict))
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	_ = w.Flush() // a strings.Builder does not fail
	return text.String()
}

func add(list []string, id string) []string {
	for _, one := range list {
		if one == id {
			return list
		}
	}
	return append(list, id)
}
