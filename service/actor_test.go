// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// patience bounds every wait for something real. It only runs out when a test fails.
const patience = 30 * time.Second

// A transcript is what happened to actors, one line each with the time since it was made.
type transcript struct {
	begun time.Time

	mu    sync.Mutex
	lines []line
}

type line struct {
	at   time.Duration
	text string
}

func newTranscript() *transcript { return &transcript{begun: time.Now()} }

func (r *transcript) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line{time.Since(r.begun), fmt.Sprintf(format, args...)})
}

// String returns the lines, those of one moment in the order of their text: which of them came first
// is nobody's promise.
func (r *transcript) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.text, b.text))
	})
	var b strings.Builder
	for _, l := range r.lines {
		fmt.Fprintf(&b, "%v %s\n", l.at, l.text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// want compares the transcript with lines as a reader would write them.
func (r *transcript) want(t *testing.T, text string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if want := strings.Join(lines, "\n"); r.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", r, want)
	}
}

// An actor is a service with all methods that does as it is told and writes it down. Its zero value,
// with a name and a transcript, starts at once, serves until it is stopped and stops at once.
type actor struct {
	name string
	log  *transcript

	startFor time.Duration // Start takes that long, unless its context ends
	startErr error
	serveFor time.Duration // Serve returns by itself after that; 0 is not
	serveErr error
	drainFor time.Duration // Shutdown takes that long, unless its context ends
	drainErr error
	deaf     time.Duration // for how long Start and Serve do not see the end of their contexts
	onStart  func()

	mu   sync.Mutex
	quit chan struct{} // of the present Serve
}

func (a *actor) Name() string { return a.name }

func (a *actor) Start(ctx context.Context) error {
	a.log.add("%s start", a.name)
	a.mu.Lock()
	a.quit = make(chan struct{})
	a.mu.Unlock()
	if a.onStart != nil {
		a.onStart()
	}
	if err := a.pause(ctx, a.startFor); err != nil {
		a.log.add("%s start: %v", a.name, err)
		return err
	}
	return a.startErr
}

func (a *actor) Serve(ctx context.Context) error {
	a.log.add("%s serve", a.name)
	defer a.log.add("%s ended", a.name)
	a.mu.Lock()
	quit := a.quit
	a.mu.Unlock()
	var done <-chan time.Time
	if a.serveFor > 0 {
		done = time.After(a.serveFor)
	}
	select {
	case <-done:
		return a.serveErr
	case <-quit:
		return nil
	case <-ctx.Done():
	}
	time.Sleep(a.deaf)
	return ctx.Err()
}

func (a *actor) Shutdown(ctx context.Context) error {
	a.log.add("%s shutdown %v", a.name, service.Draining(ctx))
	if err := a.pause(ctx, a.drainFor); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.quit)
	return a.drainErr
}

// pause waits for d or the end of ctx.
func (a *actor) pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
	}
	time.Sleep(a.deaf)
	return ctx.Err()
}

// newGroup makes a group or fails the test.
func newGroup(t *testing.T, svcs ...service.Service) *service.Group {
	t.Helper()
	g, err := service.NewGroup(svcs...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// running starts g and serves it. The channel gets what Serve returned.
func running(t *testing.T, g *service.Group) <-chan error {
	t.Helper()
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(context.Background()) }()
	return served
}
