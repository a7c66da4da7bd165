package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"cloakroom/shared/lab"
)

// Playground asks what topologies there are to play with. Where there is no
// live lab, nothing at that address gives such an answer.
func (c *Client) Playground(ctx context.Context) (lab.Playground, error) {
	var made lab.Playground
	if err := c.call(ctx, http.MethodGet, lab.PathPlay, nil, &made); err != nil {
		return lab.Playground{}, fmt.Errorf("api: playground: %w", err)
	}
	return made, nil
}

const (
	pathPlay = lab.PathPlay + "play"
	pathCue  = lab.PathPlay + "event"
)

// StartPlay has a topology started, and returns before it stands. A lab that has
// one answers with problem.LabBusy.
func (c *Client) StartPlay(ctx context.Context, choice lab.Choice) (lab.Play, error) {
	var play lab.Play
	if err := c.call(ctx, http.MethodPost, pathPlay, choice, &play); err != nil {
		return lab.Play{}, fmt.Errorf("api: start a topology: %w", err)
	}
	return play, nil
}

// FollowPlay returns the play once its Seq is above after, or as it is when
// nothing happens for some seconds.
func (c *Client) FollowPlay(ctx context.Context, after int) (lab.Play, error) {
	var play lab.Play
	if err := c.call(ctx, http.MethodGet, pathPlay+"?after="+strconv.Itoa(after), nil, &play); err != nil {
		return lab.Play{}, fmt.Errorf("api: follow a topology: %w", err)
	}
	return play, nil
}

// CuePlay has an event happen. While another one goes on it is problem.LabBusy.
func (c *Client) CuePlay(ctx context.Context, cue lab.Cue) error {
	if err := c.call(ctx, http.MethodPost, pathCue, cue, nil); err != nil {
		return fmt.Errorf("api: play an event: %w", err)
	}
	return nil
}

// EndPlay ends the topology, if there is one.
func (c *Client) EndPlay(ctx context.Context) error {
	if err := c.call(ctx, http.MethodDelete, pathPlay, nil, nil); err != nil {
		return fmt.Errorf("api: end a topology: %w", err)
	}
	return nil
}
