// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"fmt"

	"github.com/mainstay-go/mainstay/service"
)

// part is a service that prints what is done with it.
type part struct {
	name string
	quit chan struct{}
}

func (p *part) Name() string { return p.name }

func (p *part) Start(ctx context.Context) error {
	p.quit = make(chan struct{})
	fmt.Println(p.name, "starts")
	return nil
}

func (p *part) Serve(ctx context.Context) error {
	select {
	case <-p.quit:
	case <-ctx.Done():
	}
	return nil
}

func (p *part) Shutdown(ctx context.Context) error {
	fmt.Println(p.name, "drains")
	close(p.quit)
	return nil
}

func ExampleGroup() {
	g, err := service.NewGroup(
		service.After(&part{name: "api"}, "db"),
		&part{name: "db"},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := g.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx) }()

	fmt.Println(g.States()[0].Name, "is", g.States()[0].State)
	fmt.Println(g.Shutdown(ctx), <-served)
	// Output:
	// db starts
	// api starts
	// api is running
	// api drains
	// db drains
	// <nil> <nil>
}

func ExampleNewGroup_circle() {
	_, err := service.NewGroup(
		service.After(&part{name: "chicken"}, "egg"),
		service.After(&part{name: "egg"}, "chicken"),
	)
	fmt.Println(err)
	// Output:
	// service order is a circle: chicken after egg after chicken
}

// A program within a program, as in a test: its launcher leaves the signals to others.
func ExampleServiceLauncher() {
	l := service.NewServiceLauncher(service.Options{Name: "inner", Signals: service.SignalsIgnored})
	if err := l.Add(&part{name: "api"}); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()

	if err := l.Await(ctx, service.StateRunning); err != nil {
		fmt.Println(err)
	}
	if err := l.Reload(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(l.Stop(ctx), <-ended)
	// Output:
	// api starts
	// api drains
	// api starts
	// api drains
	// <nil> <nil>
}

func ExampleDefine() {
	svc := service.Define("api", func(ctx context.Context) (service.Service, error) {
		fmt.Println("made for worker", service.WorkerOf(ctx).ID)
		return &part{name: "api"}, nil
	})
	fmt.Println("nothing is made yet")
	opts := service.Options{Signals: service.SignalsIgnored}
	err := service.Launch(context.Background(), opts, svc, service.Named("job", service.Func(func(context.Context) error { return fmt.Errorf("no work") })))
	fmt.Println(err)
	// Output:
	// nothing is made yet
	// made for worker 0
	// api starts
	// api drains
	// serve job: no work
}
