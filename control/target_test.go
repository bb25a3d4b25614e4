// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// patience bounds what must happen but has no time of its own.
const patience = 20 * time.Second

// target is a program that does what its functions say; a nil one succeeds at once.
type target struct {
	status control.Status
	reload func(context.Context) (control.Outcome, error)
	stop   func(context.Context) (control.Outcome, error)
	scale  func(context.Context, string, int) (control.Outcome, error)

	inspect func(context.Context, string) ([]control.Inspection, error)
}

func (t *target) Status() control.Status { return t.status }

func (t *target) Reload(ctx context.Context) (control.Outcome, error) {
	if t.reload != nil {
		return t.reload(ctx)
	}
	return control.Outcome{Action: "reload", Generation: 2, Millis: 3}, nil
}

func (t *target) Stop(ctx context.Context) (control.Outcome, error) {
	if t.stop != nil {
		return t.stop(ctx)
	}
	return control.Outcome{Action: "stop", Generation: 1, Millis: 4, Cut: 1}, nil
}

func (t *target) Scale(ctx context.Context, set string, workers int) (control.Outcome, error) {
	if t.scale != nil {
		return t.scale(ctx, set, workers)
	}
	return control.Outcome{Action: "scale", Generation: 1}, nil
}

func (t *target) Check(context.Context) (control.Outcome, error) {
	return control.Outcome{Action: "check", Generation: 1}, nil
}

func (t *target) Kinds(context.Context) ([]string, error) { return []string{"config", "tasks"}, nil }

func (t *target) Inspect(ctx context.Context, kind string) ([]control.Inspection, error) {
	if t.inspect != nil {
		return t.inspect(ctx, kind)
	}
	return nil, nil
}

// serve runs a server for t until the test ends and returns a client of it.
func serve(t *testing.T, target control.Target) (*control.Server, *control.Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	srv := &control.Server{Path: path, Target: target}
	start(t, srv)
	return srv, control.NewClient(path)
}

// start starts srv and stops it when the test ends.
func start(t *testing.T, srv *control.Server) (served <-chan error) {
	t.Helper()
	if err := srv.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	done := make(chan error, 1) // one result, read by whoever cares
	go func() { done <- srv.Serve(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return done
}
