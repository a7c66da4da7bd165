package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"cloakroom/shared"
	"cloakroom/shared/lab"
	"cloakroom/shared/problem"
	"cloakroom/wasm/api"
)

func TestAReportIsReadAsAFile(t *testing.T) {
	steps := strings.Repeat(`"a step of many words",`, 100_000) // longer than any other answer
	client, seen := answering(t, http.StatusOK, "application/json",
		`{"cells": [{"strategy": "local-storage", "attack": "A1", "verdict": "broken", "evidence": {"steps": [`+steps+`"the last"]}}]}`, nil)
	report, err := client.LabReport(t.Context(), "/web/0123456789abcdef/lab/strategies.json")
	if err != nil || len(report.Cells) != 1 || report.Cells[0].Verdict != lab.Broken || len(report.Cells[0].Evidence.Steps) != 100_001 {
		t.Errorf("%v, %d cells", err, len(report.Cells))
	}
	if seen.URL.Path != "/web/0123456789abcdef/lab/strategies.json" || seen.Header.Get(shared.HeaderCSRF) != "" {
		t.Errorf("%s with %q", seen.URL, seen.Header)
	}
}

func TestTheLiveLabIsCalled(t *testing.T) {
	client, seen := answering(t, http.StatusOK, "application/json",
		`{"id": "r1", "seq": 7, "phase": "done", "cell": {"verdict": "held"}, "user": "alice"}`, nil)
	for name, row := range map[string]struct {
		call func() error
		want string
	}{
		"bench":      {func() error { b, err := client.LabBench(t.Context()); return also(err, b.User == "alice") }, "GET /api/lab/"},
		"start":      {func() error { r, err := client.StartLab(t.Context(), lab.Order{}); return also(err, r.ID == "r1") }, "POST /api/lab/run"},
		"follow":     {func() error { r, err := client.FollowLab(t.Context(), 6); return also(err, r.Over() && r.Seq == 7) }, "GET /api/lab/run?after=6"},
		"cancel":     {func() error { return client.CancelLab(t.Context()) }, "DELETE /api/lab/run"},
		"topologies": {func() error { g, err := client.Playground(t.Context()); return also(err, g.User == "alice") }, "GET /api/lab/topology/"},
		"play":       {func() error { p, err := client.StartPlay(t.Context(), lab.Choice{}); return also(err, p.ID == "r1") }, "POST /api/lab/topology/play"},
		"look":       {func() error { p, err := client.FollowPlay(t.Context(), 6); return also(err, p.Seq == 7) }, "GET /api/lab/topology/play?after=6"},
		"event":      {func() error { return client.CuePlay(t.Context(), lab.Cue{}) }, "POST /api/lab/topology/event"},
		"end":        {func() error { return client.EndPlay(t.Context()) }, "DELETE /api/lab/topology/play"},
	} {
		if err := row.call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := seen.Method + " " + seen.URL.RequestURI(); got != row.want || seen.Header.Get(shared.HeaderCSRF) != shared.ValueCSRF {
			t.Errorf("%s: %s with %q, want %s", name, got, seen.Header, row.want)
		}
	}
	busy, _ := answering(t, http.StatusConflict, problem.ContentType, problemBody(t, problem.LabBusy, ""), nil)
	_, err := busy.StartLab(t.Context(), lab.Order{})
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != problem.LabBusy {
		t.Errorf("a busy lab is %v", err)
	}
}

func also(err error, right bool) error {
	if err == nil && !right {
		return errors.New("not what was answered")
	}
	return err
}
