package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"cloakroom/shared/lab"
)

// maxReport bounds a report of the lab, in bytes.
const maxReport = 8 << 20

// LabReport reads a report of the lab from path, a file that comes with the
// application.
func (c *Client) LabReport(ctx context.Context, path string) (lab.Report, error) {
	var report lab.Report
	r := request{method: http.MethodGet, url: c.base + path, header: map[string]string{"Accept": typeJSON}, most: maxReport, kept: true}
	if err := exchange(ctx, r, &report); err != nil {
		return lab.Report{}, fmt.Errorf("api: report of the lab: %w", err)
	}
	return report, nil
}

// LabBench asks the live lab what there is to try. Where there is no live lab,
// nothing at that address gives such an answer.
func (c *Client) LabBench(ctx context.Context) (lab.Bench, error) {
	var bench lab.Bench
	if err := c.call(ctx, http.MethodGet, lab.PathLive, nil, &bench); err != nil {
		return lab.Bench{}, fmt.Errorf("api: lab: %w", err)
	}
	return bench, nil
}

const pathRun = lab.PathLive + "run"

// StartLab begins a run. A lab that has one answers with problem.LabBusy.
func (c *Client) StartLab(ctx context.Context, order lab.Order) (lab.Run, error) {
	var run lab.Run
	if err := c.call(ctx, http.MethodPost, pathRun, order, &run); err != nil {
		return lab.Run{}, fmt.Errorf("api: start in the lab: %w", err)
	}
	return run, nil
}

// FollowLab returns the run once its Seq is above after, or as it is when
// nothing happens for some seconds.
func (c *Client) FollowLab(ctx context.Context, after int) (lab.Run, error) {
	var run lab.Run
	if err := c.call(ctx, http.MethodGet, pathRun+"?after="+strconv.Itoa(after), nil, &run); err != nil {
		return lab.Run{}, fmt.Errorf("api: follow the lab: %w", err)
	}
	return run, nil
}

// CancelLab ends the run, if there is one.
func (c *Client) CancelLab(ctx context.Context) error {
	if err := c.call(ctx, http.MethodDelete, pathRun, nil, nil); err != nil {
		return fmt.Errorf("api: cancel in the lab: %w", err)
	}
	return nil
}
