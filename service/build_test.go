// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mainstay-go/mainstay/service"
)

// ExampleBuild shows a service that follows the configuration: it is made again when it starts again.
func ExampleBuild() {
	word := "hello" // of a configuration
	svc, err := service.Build("greeter", func(context.Context) (service.Service, error) {
		said := word
		return service.Func(func(context.Context) error {
			fmt.Println(said)
			return nil
		}), nil
	})
	if err != nil {
		panic(err)
	}
	group, err := service.NewGroup(svc)
	if err != nil {
		panic(err)
	}
	run := func() { fmt.Println(group.Start(context.Background()), group.Serve(context.Background())) }
	run()
	word = "good evening"
	run()
	// Output:
	// hello
	// <nil> <nil>
	// good evening
	// <nil> <nil>
}

// numbered is a service that has all methods and notes their calls with its number.
type numbered struct {
	n     int
	calls *[]string
	stop  chan struct{}
}

func (c *numbered) note(what string) { *c.calls = append(*c.calls, fmt.Sprint(what, " ", c.n)) }

func (c *numbered) Start(context.Context) error { c.note("start"); return nil }
func (c *numbered) Reset(context.Context) error { c.note("reset"); return nil }
func (c *numbered) Check(context.Context) error { c.note("check"); return nil }

func (c *numbered) Serve(context.Context) error { <-c.stop; return nil }

func (c *numbered) Shutdown(context.Context) error {
	c.note("shutdown")
	close(c.stop)
	return nil
}

func TestBuiltServiceIsMadeAnewForEachStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		made := 0
		svc, err := service.Build("app", func(context.Context) (service.Service, error) {
			if made == 3 {
				return nil, errors.New("no more")
			}
			made++
			return &numbered{n: made, calls: &calls, stop: make(chan struct{})}, nil
		})
		if err != nil || made != 1 || service.NameOf(svc) != "app" {
			t.Fatalf("Build = %v, %v after %d services", svc, err, made)
		}
		g, err := service.NewGroup(svc)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(t.Context()); err != nil {
			t.Error(err)
		}
		for range 3 {
			if err := g.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error)
			go func() { ended <- g.Serve(t.Context()) }()
			synctest.Wait()
			if err := errors.Join(g.Reset(t.Context()), g.Shutdown(t.Context()), <-ended); err != nil {
				t.Error(err)
			}
		}
		want := []string{"check 1"}
		for n := range 3 {
			for _, what := range []string{"start", "reset", "shutdown"} {
				want = append(want, fmt.Sprint(what, " ", n+1))
			}
		}
		if !slices.Equal(calls, want) {
			t.Errorf("called %q, want %q", calls, want)
		}
		err = g.Start(t.Context())
		if failed, ok := errors.AsType[*service.ServiceError](err); !ok || failed.Service != "app" {
			t.Errorf("Start when nothing can be built = %v, want an error of app", err)
		}
	})
}

func TestBuildRefuses(t *testing.T) {
	for name, build := range map[string]func(context.Context) (service.Service, error){
		"an error": func(context.Context) (service.Service, error) { return nil, errors.New("broken") },
		"nothing":  func(context.Context) (service.Service, error) { return nil, nil },
	} {
		if _, err := service.Build("app", build); err == nil {
			t.Errorf("%s: Build succeeded", name)
		}
	}
}
