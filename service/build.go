// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"sync"
)

// Build returns a service that build makes of the configuration in force: at once, so that what it
// listens on is part of the plan and the launcher can bind it, and anew for each Start after the first,
// as a reload in one process has it. build must be cheap, and may be called while the service that it
// made before still drains, but not while that serves. An error of build is Build's, and later that of
// Start. Unlike [Define] it calls build in the launcher and in the probe of a reload too, which can
// refuse a configuration by it and by the Check of what it made.
func Build(name string, build func(ctx context.Context) (Service, error)) (Service, error) {
	b := &built{name: name, build: build}
	return b, b.make(context.Background())
}

// built is a service that is made anew where it starts again.
type built struct {
	name  string
	build func(ctx context.Context) (Service, error)

	mu    sync.Mutex
	inner Service
	used  bool // inner was started
}

// Name returns the name given to [Build].
func (b *built) Name() string { return b.name }

// Unwrap returns the service made last.
func (b *built) Unwrap() Service {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.inner
}

// make makes another service.
func (b *built) make(ctx context.Context) error {
	svc, err := b.build(ctx)
	if err == nil && absent(svc) {
		err = errors.New("built nothing")
	}
	if err != nil {
		return &ServiceError{b.name, "build", err}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inner, b.used = svc, false
	return nil
}

// take notes that the service is started and reports whether it was before.
func (b *built) take() (again bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	again, b.used = b.used, true
	return again
}

// Start starts the service, or another one if it was started before.
func (b *built) Start(ctx context.Context) error {
	if b.take() {
		if err := b.make(ctx); err != nil {
			return err
		}
		b.take()
	}
	if s, ok := find[Starter](b.Unwrap()); ok {
		return s.Start(ctx)
	}
	return nil
}

// Serve serves what Start started.
func (b *built) Serve(ctx context.Context) error { return b.Unwrap().Serve(ctx) }
