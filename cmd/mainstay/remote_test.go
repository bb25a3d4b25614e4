// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mainstay-go/mainstay/control"
)

// program is a target that ends some time after a stop was answered, as real ones do, and whose
// reload fails.
type program struct {
	stopped atomic.Bool
	asked   atomic.Int32 // for its status since it was stopped
	end     chan struct{}
}

func (p *program) Status() control.Status {
	if p.stopped.Load() && p.asked.Add(1) == 3 {
		close(p.end)
	}
	return control.Status{Program: "demo"}
}

func (p *program) Stop(context.Context) (control.Outcome, error) {
	p.stopped.Store(true)
	return control.Outcome{Action: "stop", Generation: 1, Millis: 20, Cut: 2}, nil
}

func (p *program) Reload(context.Context) (control.Outcome, error) {
	return control.Outcome{Action: "reload", Generation: 1, Millis: 5}, errors.New("reload: not ready in time")
}

func (p *program) Scale(context.Context, string, int) (control.Outcome, error) {
	return control.Outcome{}, &control.Error{Code: 409, Message: "demo runs in one process"}
}

func (p *program) Check(context.Context) (control.Outcome, error) {
	return control.Outcome{Action: "check"}, nil
}

func (p *program) Kinds(context.Context) ([]string, error) { return []string{"tasks"}, nil }

func (p *program) Inspect(_ context.Context, kind string) ([]control.Inspection, error) {
	if kind != "tasks" {
		return nil, &control.Error{Code: 404, Message: "kind: \"" + kind + "\": nothing here shows that; want tasks"}
	}
	return []control.Inspection{{Set: "demo", Service: "reaper", Value: json.RawMessage(`["a"]`)}}, nil
}

// serve runs p behind a control socket and returns its path and what to wait for.
func (p *program) serve(t *testing.T) (path string, ended <-chan error) {
	t.Helper()
	p.end = make(chan struct{})
	path = filepath.Join(t.TempDir(), "s")
	srv := &control.Server{Path: path, Target: p}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go srv.Serve(ctx)
	done := make(chan error, 1) // one result
	go func() {
		<-p.end
		done <- srv.Shutdown(ctx)
	}()
	return path, done
}

// run runs the command line and returns what it printed.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestStopReturnsWhenTheProgramHasLeftItsSocket(t *testing.T) {
	path, ended := new(program).serve(t)
	out, err := run(t, "stop", "--socket", path)
	if want := "stop done in 20ms, generation 1, 2 cut at the deadline\n"; out != want || err != nil {
		t.Errorf("stop printed %q, %v, want %q", out, err, want)
	}
	if _, err := control.NewClient(path).Status(t.Context()); !errors.Is(err, control.ErrNoAnswer) {
		t.Fatalf("status after stop: %v, want ErrNoAnswer", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestActionThatFailed(t *testing.T) {
	path, _ := new(program).serve(t)
	tests := map[string]struct {
		args      []string
		out, want string
	}{
		"reload":         {[]string{"reload"}, "", "reload: not ready in time"},
		"reload as JSON": {[]string{"reload", "--json"}, `"error": "reload: not ready in time"`, "reload: not ready in time"},
		"scale":          {[]string{"scale", "2"}, "", "demo runs in one process"},
		"scale as JSON":  {[]string{"scale", "2", "--json"}, "", "demo runs in one process"},
	}
	for name, test := range tests {
		out, err := run(t, append(test.args, "--socket", path)...)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", name, err, test.want)
		}
		if !strings.Contains(out, test.out) || test.out == "" && out != "" {
			t.Errorf("%s printed %q, want %q", name, out, test.out)
		}
	}
}

func TestInspect(t *testing.T) {
	path, _ := new(program).serve(t)
	if out, err := run(t, "inspect", "--socket", path); out != "tasks\n" || err != nil {
		t.Errorf("inspect printed %q, %v, want the one kind", out, err)
	}
	out, err := run(t, "inspect", "tasks", "--socket", path)
	var shown []control.Inspection
	if uerr := json.Unmarshal([]byte(out), &shown); uerr != nil || err != nil || len(shown) != 1 || shown[0].Service != "reaper" {
		t.Errorf("inspect tasks printed %q, %v, want one entry as JSON", out, err)
	}
	if out, err := run(t, "inspect", "task", "--socket", path); err == nil || !strings.Contains(err.Error(), "want tasks") || out != "" {
		t.Errorf("inspect task printed %q, %v, want a refusal that names tasks", out, err)
	}
}
