// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

func TestLauncherHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newTranscript()
		logger, lines := newLogger()
		hooks := func(name string) service.Hooks {
			return service.Hooks{
				Ready:     func(w service.Worker, pid int) { log.add("%s ready %+v %v", name, w, pid == os.Getpid()) },
				Gone:      func(service.Worker, service.Gone) { log.add("%s gone", name) },
				Reloaded:  func(generation int) { log.add("%s reloaded %d", name, generation) },
				Stopping:  func() { log.add("%s stopping", name) },
				AfterInit: func(context.Context) error { log.add("%s init", name); return nil },
			}
		}
		opts := service.Options{Name: "prog", Logger: logger, Hooks: []service.Hooks{
			hooks("first"), {Ready: func(service.Worker, int) { panic("at once") }}, hooks("second"), {},
		}}
		l, ended := launch(t, opts, &actor{name: "api", log: log, startFor: time.Second})
		await(t, l, service.StateRunning)
		if err := l.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		l.Stop(t.Context())
		wantExit(t, <-ended, 0, "")
		log.want(t, `
			0s api start
			0s first init
			0s second init
			1s api ended
			1s api serve
			1s api shutdown replace
			1s api start
			1s first ready {Set:prog ID:0 Count:1 Generation:1} true
			1s second ready {Set:prog ID:0 Count:1 Generation:1} true
			2s api serve
			2s first ready {Set:prog ID:0 Count:1 Generation:2} true
			2s first reloaded 2
			2s second ready {Set:prog ID:0 Count:1 Generation:2} true
			2s second reloaded 2
			3s api ended
			3s api shutdown stop
			3s first stopping
			3s second stopping
		`)
		if !lines.has(`msg="hook panicked" panic="at once"`) {
			t.Errorf("no log line of the panic in %q", lines.get())
		}
	})
}

func TestLauncherAfterInitFails(t *testing.T) {
	for name, c := range map[string]struct {
		hook func(context.Context) error
		want string
	}{
		"with an error":       {func(context.Context) error { return errBroken }, "after init: broken"},
		"with a panic":        {func(context.Context) error { panic("oh") }, "after init: panic: oh"},
		"by taking its time":  {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "not ready within 1m0s"},
		"by not coming to it": {func(ctx context.Context) error { time.Sleep(time.Hour); return nil }, "not ready within 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newTranscript()
				_, ended := launch(t, service.Options{Hooks: []service.Hooks{{AfterInit: c.hook}}}, &actor{name: "api", log: log})
				err := <-ended
				if service.ExitCode(err) != service.ExitFailed || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Run: %v, want %q in it", err, c.want)
				}
				log.want(t, "")
				time.Sleep(2 * time.Hour)
			})
		})
	}
}
