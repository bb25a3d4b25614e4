// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Factories make what a section describes. Global is the global configuration: what [DEFAULT] has, "here"
// and "__file__", and what "set" added. Local is what the section itself has. Both belong to the
// factory, which may change and keep them. An error ends the load; it must not repeat values that may
// be secret.
type (
	// An AppFactory makes an application: paste.app_factory.
	AppFactory func(global, local map[string]string) (http.Handler, error)

	// A CompositeFactory makes an application of others: paste.composite_factory.
	CompositeFactory func(loader Loader, global, local map[string]string) (http.Handler, error)

	// A FilterFactory makes a filter, which is called once for each handler it wraps:
	// paste.filter_factory.
	FilterFactory func(global, local map[string]string) (func(http.Handler) http.Handler, error)

	// A FilterAppFactory wraps an application right away: paste.filter_app_factory.
	FilterAppFactory func(app http.Handler, global, local map[string]string) (http.Handler, error)

	// A ServerFactory makes a server: paste.server_factory.
	ServerFactory func(global, local map[string]string) (Server, error)

	// A ServerRunner serves an application until ctx ends: paste.server_runner.
	ServerRunner func(ctx context.Context, app http.Handler, global, local map[string]string) error
)

// A Filter wraps a handler. Its error is that of a [FilterAppFactory]; other filters have none.
type Filter func(http.Handler) (http.Handler, error)

// A Server serves an application until ctx ends.
type Server func(ctx context.Context, app http.Handler) error

// A Loader is what a [CompositeFactory] makes its parts with. Each call makes a new instance. It may be
// used while the factory runs and by its goroutine only.
type Loader interface {
	// App makes the application of a name, which is that of a section of the file or a URI such as
	// "egg:Paste#urlmap". It begins with the global configuration of the file alone; see With.
	App(name string) (http.Handler, error)

	// Filter makes a filter.
	Filter(name string) (Filter, error)

	// With returns a Loader that gives what it makes a global configuration on top of the file's. A
	// factory that hands on what "set" in its section says uses loader.With(global).
	With(global map[string]string) Loader

	// Keys returns the keys of local in the order of the file.
	Keys() []string
}

// A kind is a protocol of PasteDeploy without its "paste.".
type kind string

// The protocols. PasteDeploy writes composite without its last letter too.
const (
	appFactory       kind = "app_factory"
	compositeFactory kind = "composite_factory"
	filterFactory    kind = "filter_factory"
	filterAppFactory kind = "filter_app_factory"
	serverFactory    kind = "server_factory"
	serverRunner     kind = "server_runner"
)

// A Registry says what the names in paste files stand for. A name is that of Python, so that files
// written for it load unchanged: "oslo_middleware.cors:filter_factory" as a paste.*_factory key or a
// "call:" URI has it, or "oslo.middleware#cors" for the URI egg:oslo.middleware#cors. An entry called
// main may leave its "#main" out in a URI, but not here. Distributions, what is before the "#", are
// compared without regard to case and with "-", "_" and "." as one.
//
// One name may stand for factories of several kinds, as egg:oslo.middleware#healthcheck does. A name
// that is given again replaces what was there. The zero value is empty. A Registry may be read by many
// goroutines while none changes it.
type Registry struct {
	entries map[entryKey]any
	dists   map[string]bool
}

type entryKey struct {
	kind kind
	name string // as folded
}

// App adds an application.
func (r *Registry) App(name string, f AppFactory) { r.add(appFactory, name, f) }

// Composite adds a composite.
func (r *Registry) Composite(name string, f CompositeFactory) { r.add(compositeFactory, name, f) }

// Filter adds a filter.
func (r *Registry) Filter(name string, f FilterFactory) { r.add(filterFactory, name, f) }

// FilterApp adds a filter that wraps right away.
func (r *Registry) FilterApp(name string, f FilterAppFactory) { r.add(filterAppFactory, name, f) }

// Server adds a server.
func (r *Registry) Server(name string, f ServerFactory) { r.add(serverFactory, name, f) }

// ServerRunner adds a server that runs.
func (r *Registry) ServerRunner(name string, f ServerRunner) { r.add(serverRunner, name, f) }

// Distribution adds the name of a distribution that "require" in a section may ask for. The
// distributions of egg entries are there already.
func (r *Registry) Distribution(name string) {
	if r.dists == nil {
		r.dists = make(map[string]bool)
	}
	r.dists[foldDist(name)] = true
}

// Merge adds all that other has.
func (r *Registry) Merge(other *Registry) {
	for dist := range other.dists {
		r.Distribution(dist)
	}
	if r.entries == nil {
		r.entries = make(map[entryKey]any)
	}
	maps.Copy(r.entries, other.entries)
}

// Names returns all names, sorted, each once. Distributions are in lower case with dashes.
func (r *Registry) Names() []string {
	if r == nil {
		return nil
	}
	var names []string
	for key := range r.entries {
		names = append(names, key.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// add panics for a name that no file can have: a mistake of the program.
func (r *Registry) add(k kind, name string, f any) {
	folded, ok := foldName(name)
	if !ok {
		panic(fmt.Sprintf("paste: name %q of a factory: want module:attribute or distribution#entry", name))
	}
	if r.entries == nil {
		r.entries = make(map[entryKey]any)
	}
	r.entries[entryKey{k, folded}] = f
	if dist, _, ok := strings.Cut(name, "#"); ok {
		r.Distribution(dist)
	}
}

var dottedName = regexp.MustCompile(`^[\pL\pN_.]+:[\pL\pN_.]+$`)

// foldName returns the form in which names are kept, and whether name is one.
func foldName(name string) (string, bool) {
	if dist, entry, ok := strings.Cut(name, "#"); ok {
		return foldDist(dist) + "#" + entry, dist != "" && entry != ""
	}
	return name, dottedName.MatchString(name)
}

var distDashes = regexp.MustCompile(`[-_.]+`)

func foldDist(name string) string {
	return strings.ToLower(distDashes.ReplaceAllString(name, "-"))
}

// lookup returns the factory of a kind and a name in its folded form, nil if there is none.
func (r *Registry) lookup(k kind, name string) any {
	if r == nil {
		return nil
	}
	return r.entries[entryKey{k, name}]
}

// hasDist reports whether a distribution is known.
func (r *Registry) hasDist(name string) bool { return r != nil && r.dists[foldDist(name)] }

// kinds returns the kinds that a name is registered as.
func (r *Registry) kinds(name string) (kinds []kind) {
	for _, k := range []kind{appFactory, compositeFactory, filterFactory, filterAppFactory, serverFactory, serverRunner} {
		if r.lookup(k, name) != nil {
			kinds = append(kinds, k)
		}
	}
	return kinds
}
