// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// A configurer notes calls of Configure, with the answer for the next.
type configurer struct {
	log  *transcript
	err  error
	wait time.Duration
}

func (c *configurer) configure(ctx context.Context, how service.RestartMethod) error {
	c.log.add("configure %v", how)
	if c.wait == 0 {
		return c.err
	}
	select {
	case <-time.After(c.wait):
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestConfigureComesBeforeServicesStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		c := &configurer{log: log, wait: time.Second}
		l, ended := launch(t, service.Options{Configure: c.configure}, &actor{name: "api", log: log, drainFor: time.Second})
		await(t, l, service.StateRunning)
		if err := l.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		c.err = errors.New("do not like it")
		if err := l.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "do not like it") {
			t.Errorf("Reload = %v, want the error of Configure", err)
		}
		if s := l.State(); s != service.StateRunning {
			t.Errorf("state %v after a refused reload, want running", s)
		}
		c.wait = time.Hour
		if err := l.Reload(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Reload with a Configure that hangs = %v, want %v", err, context.DeadlineExceeded)
		}
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		<-ended
		log.want(t, `
			0s api serve
			0s api start
			0s configure reload
			1s api shutdown replace
			2s api ended
			2s api serve
			2s api start
			2s configure reload
			3s configure reload
			1m3s api shutdown stop
			1m4s api ended`)
	})
}

func TestConfigureOfAMutate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		c := &configurer{log: log}
		opts := service.Options{Configure: c.configure, RestartMethod: service.RestartMutate}
		l, ended := launch(t, opts, &actor{name: "api", log: log})
		await(t, l, service.StateRunning)
		if err := l.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		if err := l.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		<-ended
		log.want(t, `
			0s api ended
			0s api serve
			0s api shutdown stop
			0s api start
			0s configure mutate`)
	})
}
