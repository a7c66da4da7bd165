package strategy_test

import (
	"net/http"
	"strings"
	"testing"

	"cloakroom/bff/lab/strategy"
)

func TestAnInfectedApplicationDeliversWhatTheAttackerWantsUntilItIsCured(t *testing.T) {
	w, client := open(t)
	sick, well := w.Origin("local-storage"), w.Origin("js-memory")
	cure := w.Infect("local-storage", strategy.Infection{Markup: "<meta name=\"sick\">", Library: "sick()"})
	if status, page := get(t, client, sick+"/"); status != http.StatusOK || !strings.Contains(page, "<head><meta name=\"sick\">") || !strings.HasSuffix(strings.TrimSpace(page), "</html>") {
		t.Errorf("its page: %d %s", status, page)
	}
	if status, script := get(t, client, sick+strategy.PathLibrary); status != http.StatusOK || script != "sick()" {
		t.Errorf("its library: %d %s", status, script)
	}
	if _, script := get(t, client, sick+"/app.js"); strings.Contains(script, "sick") {
		t.Error("its script is infected, too")
	}
	if _, page := get(t, client, well+"/"); strings.Contains(page, "sick") {
		t.Error("another application is infected, too")
	}
	cure()
	if _, page := get(t, client, sick+"/"); strings.Contains(page, "sick") {
		t.Error("it is not cured")
	}
	if status, _ := get(t, client, sick+strategy.PathLibrary); status != http.StatusNotFound {
		t.Errorf("its library is still there: %d", status)
	}
}
