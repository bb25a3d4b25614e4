// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"sync"
)

// defined is a service that Start constructs. What it wraps is there from Start until Serve returns.
type defined struct {
	name      string
	construct func(ctx context.Context) (Service, error)

	mu    sync.Mutex
	inner Service // nil while there is none
}

// Name returns the name given to [Define], which a constructed service's own name does not change.
func (d *defined) Name() string { return d.name }

// Unwrap returns the service constructed by the last Start, nil before that and after its end.
func (d *defined) Unwrap() Service {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inner
}

func (d *defined) hold(svc Service) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inner = svc
}

// Start constructs the service and starts it.
func (d *defined) Start(ctx context.Context) error {
	svc, err := d.construct(ctx)
	if err == nil && absent(svc) {
		err = errors.New("constructed nothing")
	}
	if err != nil {
		return &ServiceError{d.name, "construct", err}
	}
	d.hold(svc)
	if s, ok := find[Starter](svc); ok {
		err = s.Start(ctx)
	}
	if err != nil {
		d.hold(nil)
	}
	return err
}

// Serve serves what Start constructed, and then lets go of it.
func (d *defined) Serve(ctx context.Context) error {
	svc := d.Unwrap()
	if svc == nil {
		return errors.New("not started")
	}
	defer d.hold(nil)
	return svc.Serve(ctx)
}
