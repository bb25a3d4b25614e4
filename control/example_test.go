// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mainstay-go/mainstay/control"
)

// program is the smallest target: it runs, and refuses to be anything else.
type program struct{}

func (program) Status() control.Status { return control.Status{Program: "demo", State: "running"} }

func (program) Reload(context.Context) (control.Outcome, error) {
	return control.Outcome{Action: "reload", Generation: 2}, nil
}

func (program) Stop(context.Context) (control.Outcome, error) {
	return control.Outcome{Action: "stop", Generation: 2}, nil
}

func (program) Scale(context.Context, string, int) (control.Outcome, error) {
	return control.Outcome{}, &control.Error{Code: 409, Message: "demo runs in one process: nothing to scale"}
}

func (program) Check(context.Context) (control.Outcome, error) {
	return control.Outcome{Action: "check", Generation: 2}, nil
}

func (program) Kinds(context.Context) ([]string, error) { return []string{"tasks"}, nil }

func (program) Inspect(context.Context, string) ([]control.Inspection, error) {
	return []control.Inspection{{Set: "demo", Pid: 7, Generation: 2, Service: "reaper", Value: json.RawMessage(`[]`)}}, nil
}

func Example() {
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	srv := &control.Server{Path: control.SocketPath(dir, "demo"), Target: program{}}
	if err := srv.Start(ctx); err != nil {
		panic(err)
	}
	done := make(chan error)
	go func() { done <- srv.Serve(ctx) }()

	c := control.NewClient(srv.Path)
	status, err := c.Status(ctx)
	fmt.Println(status.Program, status.State, err)
	outcome, err := c.Reload(ctx)
	fmt.Println("generation", outcome.Generation, err)
	_, err = c.Scale(ctx, "", 4)
	fmt.Println(err)

	fmt.Println(srv.Shutdown(ctx), <-done)
	// Output:
	// demo running <nil>
	// generation 2 <nil>
	// demo runs in one process: nothing to scale
	// <nil> <nil>
}

func ExampleClient() {
	c := control.NewClient(filepath.Join(os.TempDir(), "nobody-is-here.sock"))
	_, err := c.Status(context.Background())
	fmt.Println(errors.Is(err, control.ErrNoAnswer))
	// Output: true
}

func ExampleClient_Inspect() {
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	srv := &control.Server{Path: control.SocketPath(dir, "demo"), Target: program{}}
	if err := srv.Start(ctx); err != nil {
		panic(err)
	}
	go srv.Serve(ctx)

	shown, err := control.NewClient(srv.Path).Inspect(ctx, "tasks")
	for _, s := range shown {
		fmt.Printf("%s worker %d: %s shows %s\n", s.Set, s.Worker, s.Service, s.Value)
	}
	fmt.Println(err)
	// Output:
	// demo worker 0: reaper shows []
	// <nil>
}

func ExampleSocketPath() {
	fmt.Println(control.SocketPath("/var/lib/mainstay", "hello"))
	// Output: /var/lib/mainstay/hello.sock
}
