package report

import (
	"encoding/json"
	"fmt"
	"io"

	"cloakroom/shared/lab"
)

// WriteTopologies writes a report of topologies in one of Formats.
func WriteTopologies(w io.Writer, format string, r lab.TopologyReport) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", " ")
		return encoder.Encode(r)
	}
	return fmt.Errorf("report: there is no format %q", format)
}
