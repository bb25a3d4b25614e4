// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
)

// app makes what a part describes, an application: the one behind first, then the filters in the order
// of the file.
func (b *builder) app(p *part) (http.Handler, error) {
	switch p.shape {
	case leaf:
		return b.leafApp(p)
	case filterWith:
		filter, err := b.filter(p.filters[0])
		if err != nil {
			return nil, err
		}
		app, err := b.app(p.next)
		if err != nil {
			return nil, err
		}
		return filter(app)
	}
	app, err := b.app(p.next)
	if err != nil {
		return nil, err
	}
	var filters []Filter
	for _, fp := range p.filters {
		filter, err := b.filter(fp)
		if err != nil {
			return nil, err
		}
		filters = append(filters, filter)
	}
	for _, filter := range slices.Backward(filters) {
		if app, err = filter(app); err != nil {
			return nil, err
		}
	}
	return app, nil
}

func (b *builder) leafApp(p *part) (http.Handler, error) {
	var app http.Handler
	var err error
	switch f := p.value.(type) {
	case AppFactory:
		app, err = f(p.maps())
	case CompositeFactory:
		l := &compositeLoader{b: b, part: p}
		global, local := p.maps()
		app, err = f(l, global, local)
		l.b = nil
	}
	if err == nil && app == nil {
		err = errNil
	}
	return app, p.failed(err)
}

// errNil is a factory that keeps no promise.
var errNil = errors.New("the factory returned nil")

// filter makes what a part describes, a filter.
func (b *builder) filter(p *part) (Filter, error) {
	if p.shape == filterWith {
		return b.filteredFilter(p)
	}
	switch f := p.value.(type) {
	case FilterAppFactory:
		return func(next http.Handler) (http.Handler, error) {
			global, local := p.maps()
			app, err := f(next, global, local)
			if err == nil && app == nil {
				err = errNil
			}
			return app, p.failed(err)
		}, nil
	case FilterFactory:
		wrap, err := f(p.maps())
		if err == nil && wrap == nil {
			err = errNil
		}
		if err != nil {
			return nil, p.failed(err)
		}
		return func(next http.Handler) (http.Handler, error) { return wrap(next), nil }, nil
	}
	return nil, p.failed(errNil)
}

// filteredFilter makes a filter with another around it.
func (b *builder) filteredFilter(p *part) (Filter, error) {
	outer, err := b.filter(p.filters[0])
	if err != nil {
		return nil, err
	}
	inner, err := b.filter(p.next)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) (http.Handler, error) {
		app, err := inner(next)
		if err != nil {
			return nil, err
		}
		return outer(app)
	}, nil
}

// server makes what a part describes, a server.
func (b *builder) server(p *part) (Server, error) {
	switch f := p.value.(type) {
	case ServerRunner:
		global, local := p.maps()
		return func(ctx context.Context, app http.Handler) error {
			return f(ctx, app, maps.Clone(global), maps.Clone(local))
		}, nil
	case ServerFactory:
		s, err := f(p.maps())
		if err == nil && s == nil {
			err = errNil
		}
		return s, p.failed(err)
	}
	return nil, p.failed(errNil)
}

// maps returns the settings of a part, to keep.
func (p *part) maps() (global, local map[string]string) {
	return maps.Clone(p.global.values), maps.Clone(p.local.values)
}

// failed says where the factory stands that an error is of. What it refers to has said that already.
func (p *part) failed(err error) error {
	var (
		at      *Error
		unknown *UnknownError
	)
	if err == nil || errors.As(err, &at) || errors.As(err, &unknown) {
		return err
	}
	e := p.at().fail("%s", p.factory)
	e.Err = err
	return e
}

// A compositeLoader is what a composite is given.
type compositeLoader struct {
	b      *builder // nil when the factory has returned
	parent *compositeLoader
	part   *part
	global *conf
}

// builder returns the load, if it still goes on.
func (l *compositeLoader) builder() (*builder, error) {
	root := l
	for root.parent != nil {
		root = root.parent
	}
	if root.b == nil {
		return nil, errors.New("loader used after its factory returned")
	}
	return root.b, nil
}

func (l *compositeLoader) resolve(what *object, name string) (*builder, *part, error) {
	b, err := l.builder()
	if err != nil {
		return nil, nil, err
	}
	p, err := l.part.loader.resolve(b, what, name, l.global, l.part.at())
	if err != nil {
		return nil, nil, err
	}
	return b, p, b.bind(p)
}

func (l *compositeLoader) App(name string) (http.Handler, error) {
	b, p, err := l.resolve(appObject, name)
	if err != nil {
		return nil, err
	}
	if err := b.nest(l.part, name); err != nil {
		return nil, err
	}
	defer b.unnest()
	return b.app(p)
}

func (l *compositeLoader) Filter(name string) (Filter, error) {
	b, p, err := l.resolve(filterObject, name)
	if err != nil {
		return nil, err
	}
	return b.filter(p)
}

func (l *compositeLoader) With(global map[string]string) Loader {
	return &compositeLoader{parent: l, part: l.part, global: confOf(global)}
}

func (l *compositeLoader) Keys() []string { return slices.Clone(l.part.local.keys) }
