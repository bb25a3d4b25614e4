// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// logLines is a logger that keeps its lines.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func newLogger() (*slog.Logger, *logLines) {
	l := new(logLines)
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "pid" || a.Key == "program" {
				return slog.Attr{}
			}
			return a
		},
	})), l
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.TrimSpace(string(p)))
	return len(p), nil
}

func (l *logLines) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

func (l *logLines) has(text string) bool {
	return slices.ContainsFunc(l.get(), func(line string) bool { return strings.Contains(line, text) })
}

// closed reports whether c is closed once everything that can happen now has.
func closed(c <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestLife(t *testing.T) {
	for name, c := range map[string]struct {
		svc   *actor
		act   func(l *service.Life)
		ready bool
		err   string
		cut   []string
		took  time.Duration
	}{
		"of services that are done": {
			svc: &actor{serveFor: time.Minute}, act: func(*service.Life) {},
			ready: true, took: time.Minute,
		},
		"of a service that fails": {
			svc: &actor{serveFor: time.Minute, serveErr: errBroken}, act: func(*service.Life) {},
			ready: true, err: "serve api: broken", took: time.Minute,
		},
		"of a service that does not start": {
			svc: &actor{startFor: time.Second, startErr: errBroken}, act: func(*service.Life) {},
			err: "start api: broken", took: time.Second,
		},
		"drained": {
			svc: &actor{drainFor: time.Second}, act: func(l *service.Life) { l.Shutdown(service.Stop, time.Minute) },
			ready: true, took: 11 * time.Second,
		},
		"drained while it starts": {
			svc: &actor{startFor: time.Hour}, act: func(l *service.Life) { l.Shutdown(service.Stop, time.Minute) },
			took: 10 * time.Second,
		},
		"drained too slowly": {
			svc: &actor{drainFor: time.Hour}, act: func(l *service.Life) { l.Shutdown(service.Stop, time.Minute) },
			ready: true, err: "shutdown timeout: cut api", cut: []string{"api"}, took: 70 * time.Second,
		},
		"given up": {
			svc: &actor{drainFor: time.Hour, deaf: time.Hour}, act: func(l *service.Life) { l.Shutdown(service.Stop, time.Minute) },
			ready: true, err: "shutdown timeout: cut api: still running api", cut: []string{"api"}, took: 71 * time.Second,
		},
		"drained, with the time cut short": {
			svc: &actor{drainFor: time.Hour}, act: func(l *service.Life) {
				l.Shutdown(service.Stop, time.Minute)
				time.Sleep(time.Second)
				l.Shutdown(service.Stop, time.Second)
				l.Shutdown(service.Stop, time.Hour) // may not prolong it
				l.Shutdown(service.Stop, -1)
			},
			ready: true, err: "shutdown timeout: cut api", cut: []string{"api"}, took: 12 * time.Second,
		},
		"drained, then cancelled": {
			svc: &actor{drainFor: time.Hour}, act: func(l *service.Life) {
				l.Shutdown(service.Stop, -1)
				time.Sleep(time.Second)
				l.Cancel()
			},
			ready: true, err: "shutdown timeout: cut api", cut: []string{"api"}, took: 11 * time.Second,
		},
		"cancelled": {
			svc: &actor{drainFor: time.Hour}, act: func(l *service.Life) { l.Cancel() },
			ready: true, took: 10 * time.Second,
		},
		"cancelled while it starts": {
			svc: &actor{startFor: time.Hour}, act: func(l *service.Life) { l.Cancel() },
			took: 10 * time.Second,
		},
		"cancelled in vain": {
			svc: &actor{deaf: time.Hour}, act: func(l *service.Life) { l.Cancel() },
			ready: true, err: "shutdown timeout: cut api: still running api", cut: []string{"api"}, took: 11 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := newTranscript()
				c.svc.name, c.svc.log = "api", log
				l := service.Begin(t.Context(), newGroup(t, c.svc), slog.New(slog.DiscardHandler))
				time.AfterFunc(10*time.Second, func() { c.act(l) })
				<-l.Done()
				if got := time.Since(log.begun); got != c.took {
					t.Errorf("done after %v, want %v", got, c.took)
				}
				if got := closed(l.Ready()); got != c.ready {
					t.Errorf("ready %v, want %v", got, c.ready)
				}
				if err := l.Err(); fmt.Sprint(err) != c.err && (err != nil || c.err != "") {
					t.Errorf("err: %v, want %v", err, c.err)
				}
				if got := l.Cut(); !slices.Equal(got, c.cut) || (c.cut != nil) != errors.Is(l.Err(), service.ErrShutdownTimeout) {
					t.Errorf("cut %q, want %q", got, c.cut)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

// A stop that comes before anything has run must not be lost.
func TestLifeStoppedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, stop := range []func(l *service.Life){
			func(l *service.Life) { l.Shutdown(service.Stop, time.Minute) },
			func(l *service.Life) { l.Cancel() },
		} {
			log := newTranscript()
			l := service.Begin(t.Context(), newGroup(t, &actor{name: "api", log: log, startFor: time.Hour}), nil)
			stop(l)
			<-l.Done()
			if got := time.Since(log.begun); got != 0 || l.Err() != nil {
				t.Errorf("done after %v with %v\n%s", got, l.Err(), log)
			}
		}
	})
}

// Being cancelled twice is not being drained and then cut.
func TestLifeCancelledTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &starter{actor: actor{name: "api", log: newTranscript()}, takes: time.Second - 1}
		l := service.Begin(t.Context(), newGroup(t, svc), nil)
		synctest.Wait()
		l.Cancel()
		time.Sleep(time.Second / 2)
		l.Cancel()
		<-l.Done()
		if err := l.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestLifeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		log := newTranscript()
		l := service.Begin(ctx, newGroup(t, &actor{name: "api", log: log}), nil)
		<-l.Ready()
		cancel()
		<-l.Done()
		if l.Err() != nil || strings.Contains(log.String(), "shutdown") {
			t.Errorf("%v\n%s", l.Err(), log)
		}
	})
}

func TestLifeWithoutEndNamesWhoIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, lines := newLogger()
		g := newGroup(t,
			&actor{name: "db", log: newTranscript(), drainFor: time.Second},
			&actor{name: "api", log: newTranscript(), drainFor: 70 * time.Second},
		)
		l := service.Begin(t.Context(), g, logger)
		<-l.Ready()
		l.Shutdown(service.Stop, -1)
		l.Shutdown(service.Stop, -1)
		<-l.Done()
		want := []string{
			`level=WARN msg="waiting for services to end" services=[api] for=30s`,
			`level=WARN msg="waiting for services to end" services=[api] for=1m0s`,
		}
		if got := lines.get(); !slices.Equal(got, want) {
			t.Errorf("logged %q, want %q", got, want)
		}
		if err := l.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestLifeReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &methods{actor: actor{name: "api", log: newTranscript()}}
		m.reset = func(context.Context) error { return errBroken }
		l := service.Begin(t.Context(), newGroup(t, m), nil)
		<-l.Ready()
		if err := l.Reset(t.Context()); !errors.Is(err, errBroken) {
			t.Error(err)
		}
		m.reset = func(context.Context) error {
			time.Sleep(time.Hour)
			return nil
		}
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Reset(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second+service.KillDelay {
			t.Errorf("Reset that does not return: %v after %v", err, time.Since(begun))
		}
		l.Cancel()
		<-l.Done()
		time.Sleep(2 * time.Hour)
	})
}

func TestLifeOfAGroupThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, &actor{name: "api", log: newTranscript()})
		first := service.Begin(t.Context(), g, nil)
		<-first.Ready()
		second := service.Begin(t.Context(), g, nil)
		second.Shutdown(service.Stop, time.Second)
		second.Cancel()
		<-second.Done()
		if err := second.Err(); err == nil || err.Error() != "group api: started already" || closed(second.Ready()) {
			t.Errorf("second: %v", err)
		}
		if closed(first.Done()) {
			t.Error("the first was stopped by the second")
		}
		first.Cancel()
		<-first.Done()
	})
}
