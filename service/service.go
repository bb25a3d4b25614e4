// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/mainstay-go/mainstay/internal/drain"
)

// A Service does one thing until it is told to stop.
//
// Serve runs until its work is done, until it fails, or until ctx is cancelled, which means: stop
// now. Returning nil says that the service is done; an error ends the group it belongs to. A service
// may implement any of [Starter], [Shutdowner], [Resetter], [Checker], [Inspector] and [Namer] besides;
// wrappers offer Unwrap() Service so that these are found through them.
//
// The life of a service, as [State] names it:
//
//	New -> Starting -> Running -> Draining -> Stopped
//	          |           |          |
//	          +-----------+----------+------> Failed
//
// A stop in mid-start leads from Starting to Draining. A stopped service may be started again, on the
// same listener.
type Service interface {
	Serve(ctx context.Context) error
}

// A Starter binds, connects and checks before it serves. Returning nil means ready: Serve is called
// next, after every Start that returned nil, and must answer from its first moment. The context bounds
// Start alone, never Serve.
type Starter interface {
	Start(ctx context.Context) error
}

// A Shutdowner drains: Shutdown lets what runs end, takes nothing new, and returns when all is done
// or ctx ends, with ctx's error if something was left. It may be called while Start still runs, and
// before Serve, which then returns at once. [Draining] tells from ctx why. Launchers wait for Serve and
// for Shutdown to return. A service without Shutdown has Serve's context cancelled at once instead.
type Shutdowner interface {
	Shutdown(ctx context.Context) error
}

// A Resetter answers a mutate in place: it takes over changed options without stopping.
type Resetter interface {
	Reset(ctx context.Context) error
}

// A Checker says, without side effects, whether it could start: it runs in a short-lived process
// before a reload or for --check.
type Checker interface {
	Check(ctx context.Context) error
}

// A Namer has a name for logs, status and After. Without it the name is that of the type.
type Namer interface {
	Name() string
}

// unwrapper is what wrappers of services offer.
type unwrapper interface{ Unwrap() Service }

// find looks for an optional interface on svc and on what it wraps, outermost first.
func find[T any](svc Service) (T, bool) {
	for svc != nil {
		if t, ok := svc.(T); ok {
			return t, true
		}
		u, ok := svc.(unwrapper)
		if !ok {
			break
		}
		svc = u.Unwrap()
	}
	var zero T
	return zero, false
}

// NameOf returns the name of svc: what its Name method says, else its type without package and
// pointer, in lower case.
func NameOf(svc Service) string {
	if n, ok := find[Namer](svc); ok {
		return n.Name()
	}
	for {
		u, ok := svc.(unwrapper)
		if !ok || u.Unwrap() == nil {
			break
		}
		svc = u.Unwrap()
	}
	name := fmt.Sprintf("%T", svc)
	return strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
}

// Func makes a Service of a function.
type Func func(ctx context.Context) error

// Serve calls f.
func (f Func) Serve(ctx context.Context) error { return f(ctx) }

// Named returns svc under another name.
func Named(name string, svc Service) Service { return &named{svc, name} }

type named struct {
	Service
	name string
}

func (n *named) Name() string    { return n.name }
func (n *named) Unwrap() Service { return n.Service }

// After returns svc with the names of the services in its group that must be ready before it
// starts, and that stop only after it has stopped. See [Group] for the order it makes.
func After(svc Service, names ...string) Service { return &after{svc, names} }

type after struct {
	Service
	names []string
}

func (a *after) After() []string { return a.names }
func (a *after) Unwrap() Service { return a.Service }

// Define names a service that is made only where it serves: construct runs in Start, in the worker
// or in the single process, never in the launcher, nor in the probe of a reload; a reload in the
// same process constructs again. An error of construct is a failed start.
func Define(name string, construct func(ctx context.Context) (Service, error)) Service {
	return &defined{name: name, construct: construct}
}

// absent reports a service that is no Service: nil, or a nil pointer in the interface.
func absent(svc Service) bool {
	if svc == nil {
		return true
	}
	v := reflect.ValueOf(svc)
	switch v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Interface, reflect.Chan:
		return v.IsNil()
	}
	return false
}

// A DrainReason says why Shutdown was called, and so who serves afterwards.
type DrainReason = drain.Reason

// The reasons of a drain.
const (
	NotDraining = drain.None    // the context is not one of Shutdown
	Replace     = drain.Replace // a successor serves on the same listeners: leave the accept queue to it
	Shrink      = drain.Shrink  // siblings serve on: leave the accept queue to them
	Stop        = drain.Stop    // nobody serves afterwards: empty the accept queue first
)

// Draining returns why Shutdown was called, from its context.
func Draining(ctx context.Context) DrainReason { return drain.From(ctx) }

// A Worker is the identity of the process a service runs in. A replacement gets the ID of the worker
// that it replaces, so an ID can choose a shard.
type Worker struct {
	Set        string // name of the set
	ID         int    // slot in the set, from 0
	Count      int    // workers of the set when this one was started
	Generation int    // 1 at first, one more with each reload
}

type workerKey struct{}

// WorkerOf returns the worker that ctx, given to any method of a service, belongs to. A service in a
// program without worker processes is worker 0 of 1.
func WorkerOf(ctx context.Context) Worker {
	w, ok := ctx.Value(workerKey{}).(Worker)
	if !ok {
		return Worker{Count: 1, Generation: 1}
	}
	return w
}

func withWorker(ctx context.Context, w Worker) context.Context {
	return context.WithValue(ctx, workerKey{}, w)
}
