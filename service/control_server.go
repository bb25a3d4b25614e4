// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// A controlServer is a launcher's control socket while it serves; nil is none.
type controlServer struct {
	control.Server
	serving sync.WaitGroup
}

// openControl opens the control socket of a launcher, if its options ask for one.
func openControl(ctx context.Context, opts *Options, target control.Target) (*controlServer, error) {
	if opts.Control == "" {
		return nil, nil
	}
	c := &controlServer{Server: control.Server{Path: opts.Control, Target: target, Logger: opts.Logger}}
	if err := c.Start(ctx); err != nil {
		if opts.ControlOptional {
			opts.Logger.Warn("no control socket", "error", err)
			return nil, nil
		}
		return nil, err
	}
	c.serving.Go(func() {
		if err := c.Serve(context.WithoutCancel(ctx)); err != nil {
			opts.Logger.Error("control socket lost", "path", c.Path, "error", err)
		}
	})
	return c, nil
}

// close ends it when the callers that wait for the outcome of a stop have it.
func (c *controlServer) close() {
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.Shutdown(ctx)
	c.serving.Wait()
}
