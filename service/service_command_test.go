// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// A delivery is a signal, so long after the one before.
type delivery struct {
	after time.Duration
	sig   string
}

// TestSignalsByTheClock holds what signals do, and when, to the nanosecond: the service starts, drains
// and is ready again in a second each, and has ten to drain.
func TestSignalsByTheClock(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		drain  time.Duration // a second if 0
		deaf   time.Duration
		sigs   []delivery
		code   int
		text   string
		took   time.Duration
		starts int
	}{
		"TERM drains": {
			sigs: []delivery{{5 * s, "TERM"}}, took: 6 * s, starts: 1,
		},
		"TERM in mid-start": {
			sigs: []delivery{{s / 2, "TERM"}}, took: s / 2, starts: 1,
		},
		"TERM cuts at the deadline": {
			drain: time.Hour, sigs: []delivery{{5 * s, "TERM"}},
			code: service.ExitCut, text: "shutdown timeout: cut api", took: 15 * s, starts: 1,
		},
		"TERM gives up after the deadline": {
			drain: time.Hour, deaf: time.Hour, sigs: []delivery{{5 * s, "TERM"}},
			code: service.ExitCut, text: "shutdown timeout: cut api: still running api", took: 16 * s, starts: 1,
		},
		"a second TERM forces": {
			drain: time.Hour, sigs: []delivery{{5 * s, "TERM"}, {s, "TERM"}},
			code: service.ExitCut, text: "interrupted; shutdown timeout: cut api", took: 6 * s, starts: 1,
		},
		"a second TERM at once is the first": {
			drain: s, sigs: []delivery{{5 * s, "TERM"}, {service.TermEcho - 1, "TERM"}},
			took: 6 * s, starts: 1,
		},
		"INT ends at once": {
			drain: time.Hour, sigs: []delivery{{5 * s, "INT"}},
			code: service.ExitFailed, text: "interrupted", took: 5 * s, starts: 1,
		},
		"INT in mid-start": {
			sigs: []delivery{{s / 2, "INT"}},
			code: service.ExitFailed, text: "interrupted", took: s / 2, starts: 1,
		},
		"INT ends a drain": {
			drain: time.Hour, sigs: []delivery{{5 * s, "TERM"}, {s, "INT"}},
			code: service.ExitFailed, text: "interrupted; shutdown timeout: cut api", took: 6 * s, starts: 1,
		},
		"INT gives up what ignores it": {
			deaf: time.Hour, sigs: []delivery{{5 * s, "INT"}},
			code: service.ExitFailed, text: "interrupted; shutdown timeout: cut api: still running api", took: 6 * s, starts: 1,
		},
		"HUP reloads, TERM drains": {
			sigs: []delivery{{5 * s, "HUP"}, {5 * s, "TERM"}}, took: 11 * s, starts: 2,
		},
		"HUP in mid-start is for later": {
			sigs: []delivery{{s / 2, "HUP"}, {s, "TERM"}}, took: 2 * s, starts: 1,
		},
		"three HUP are two reloads at most": {
			sigs: []delivery{{5 * s, "HUP"}, {s / 2, "HUP"}, {s / 2, "HUP"}, {5 * s, "TERM"}}, took: 12 * s, starts: 3,
		},
		"TERM in the drain of a reload": {
			sigs: []delivery{{5 * s, "HUP"}, {s / 2, "TERM"}}, took: 6 * s, starts: 1,
		},
		"TERM in the start of a reload": {
			sigs: []delivery{{5 * s, "HUP"}, {3 * s / 2, "TERM"}}, took: 13 * s / 2, starts: 2,
		},
		"INT in the drain of a reload": {
			drain: time.Hour, sigs: []delivery{{5 * s, "HUP"}, {s, "INT"}},
			code: service.ExitFailed, text: "interrupted; shutdown timeout: cut api", took: 6 * s, starts: 1,
		},
		"HUP during a stop": {
			sigs: []delivery{{5 * s, "TERM"}, {s / 2, "HUP"}}, took: 6 * s, starts: 1,
		},
		"the terminal goes": {
			sigs: []delivery{{5 * s, "lost"}}, took: 6 * s, starts: 1,
		},
		"the terminal goes, then TERM": {
			sigs: []delivery{{5 * s, "lost"}, {s / 2, "TERM"}}, took: 6 * s, starts: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newTranscript()
				starts := 0
				svc := &actor{name: "api", log: log, startFor: s, drainFor: max(c.drain, s), deaf: c.deaf, onStart: func() { starts++ }}
				logger, _ := newLogger()
				l := service.NewServiceLauncher(service.Options{
					Logger: logger, ShutdownTimeout: 10 * s,
					Reload: func(context.Context) (service.Options, error) { return service.Options{ShutdownTimeout: 10 * s}, nil },
				})
				l.Add(svc)
				sigs := make(chan string)
				go func() {
					defer close(sigs)
					for _, d := range c.sigs {
						time.Sleep(d.after)
						select {
						case sigs <- d.sig:
						case <-t.Context().Done():
						}
					}
				}()
				wantExit(t, l.Obey(t.Context(), sigs), c.code, c.text)
				if got := time.Since(log.begun); got != c.took || starts != c.starts {
					t.Errorf("took %v with %d starts, want %v and %d:\n%s", got, starts, c.took, c.starts, log)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}
