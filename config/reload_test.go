// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
)

func texts(changes []config.Change) []string {
	var out []string
	for _, ch := range changes {
		out = append(out, ch.String())
	}
	return out
}

// logged returns a logger and what it wrote, without times.
func logged() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})), &b
}

const before = "[api]\nhost = a\npassword = one\nclient_socket_timeout = 10\n"

func start(t *testing.T, w *world, l *slog.Logger, args ...string) *config.Config {
	t.Helper()
	o := w.options()
	if l != nil {
		o.Logger = l
	}
	c := config.New(o)
	if err := c.Register("api", apiOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse(append([]string{"--config-file=/c"}, args...)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReload(t *testing.T) {
	w := &world{files: map[string]string{"/c": before}}
	c := start(t, w, nil)
	old := c.Snapshot()
	w.files["/c"] = "[api]\nhost = b\npassword = two\nclient_socket_timeout = 20\ndebug = yes\n"
	diff, err := c.Diff()
	if err != nil {
		t.Fatal(err)
	}
	changes, err := c.Reload()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"api.host changed from [a] to [b] (needs a reload)",
		"api.client_socket_timeout changed from [10s] to [20s] (mutable)",
		"api.debug changed from [None] to [True] (mutable)",
		"api.password changed from [****] to [****] (needs a reload)",
	}
	if got := texts(changes); !slices.Equal(got, want) || !slices.Equal(texts(diff), want) {
		t.Errorf("Reload = %q, Diff = %q, want %q", got, texts(diff), want)
	}
	if got := config.Get[apiOptions](c, "api"); got.Host != "b" || got.Password != "two" || !got.Debug {
		t.Errorf("after Reload: %+v", got)
	}
	if got := config.Get[apiOptions](old, "api"); got.Host != "a" || got.Password != "one" || got.Debug {
		t.Errorf("the snapshot from before changed: %+v", got)
	}
}

// A broken file leaves everything as it was, whatever is wrong with it.
func TestBrokenReload(t *testing.T) {
	for name, text := range map[string]string{
		"a value":     "[api]\nhost = b\nport = x\ndebug = yes\n",
		"the grammar": "[api]\nhost = b\ndebug = yes\nport\n",
		"no file":     "",
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{files: map[string]string{"/c": before}}
			c := start(t, w, nil)
			hooked := false
			c.OnMutate(func([]config.Change) error { hooked = true; return nil })
			old := c.Snapshot()
			if w.files["/c"] = text; text == "" {
				delete(w.files, "/c")
			}
			for what, f := range map[string]func() ([]config.Change, error){"Reload": c.Reload, "Mutate": c.Mutate, "Diff": c.Diff} {
				var errs config.Errors
				if changes, err := f(); !errors.As(err, &errs) || changes != nil {
					t.Errorf("%s = %v, %v, want Errors", what, changes, err)
				}
			}
			if c.Snapshot() != old || hooked {
				t.Errorf("the configuration changed, or a hook ran (%v)", hooked)
			}
		})
	}
}

// SVC-10, SVC-11 and SVC-25 as far as the configuration goes: one Mutate, one call of the hook, mutable
// options only.
func TestSVC10Mutate(t *testing.T) {
	l, log := logged()
	w := &world{files: map[string]string{"/c": before}}
	c := start(t, w, l)
	var calls [][]string
	c.OnMutate(func(chs []config.Change) error {
		calls = append(calls, append(texts(chs), fmt.Sprint(config.Get[apiOptions](c, "api").Timeout)))
		return nil
	})
	boom := errors.New("boom")
	c.OnMutate(func([]config.Change) error { return boom })
	w.files["/c"] = "[api]\nhost = b\npassword = two\nclient_socket_timeout = 20\n"
	changes, err := c.Mutate()
	if !errors.Is(err, boom) {
		t.Errorf("Mutate: error %v, want the hook's", err)
	}
	want := []string{"api.client_socket_timeout changed from [10s] to [20s] (mutable)"}
	if got := texts(changes); !slices.Equal(got, want) {
		t.Errorf("Mutate = %q, want %q", got, want)
	}
	if len(calls) != 1 || !slices.Equal(calls[0], append(want, "20s")) {
		t.Errorf("hook got %q, want one call with the change, and the new value in force", calls)
	}
	if got := config.Get[apiOptions](c, "api"); got.Host != "a" || got.Password != "one" || got.Timeout != 20*time.Second {
		t.Errorf("after Mutate: %+v", got)
	}
	wantLog := `level=INFO msg="option changed" option=api.client_socket_timeout old=10s new=20s at=/c:4
level=WARN msg="ignored change to immutable option: a reload is needed" option=api.host old=a new=b at=/c:2
level=WARN msg="ignored change to immutable option: a reload is needed" option=api.password old=**** new=**** at=/c:3
`
	if log.String() != wantLog {
		t.Errorf("log:\n%s\nwant:\n%s", log, wantLog)
	}
	if _, err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := config.Get[apiOptions](c, "api"); got.Host != "b" || got.Password != "two" {
		t.Errorf("after Reload: %+v", got)
	}
}

// What the command line says stays, whatever the file says.
func TestMutateUnderCommandLine(t *testing.T) {
	w := &world{files: map[string]string{"/c": before}}
	c := start(t, w, nil, "--api-debug")
	w.files["/c"] = before + "debug = false\n"
	if changes, err := c.Mutate(); err != nil || len(changes) != 0 {
		t.Errorf("Mutate = %v, %v, want no change", texts(changes), err)
	}
	if !config.Get[apiOptions](c, "api").Debug {
		t.Error("debug = false, want what the command line says")
	}
}

// An immutable option keeps its value also if it refers to a mutable one; a mutable one sees the
// values in force.
func TestMutateReferences(t *testing.T) {
	w := &world{files: map[string]string{"/c": "[DEFAULT]\nm = 1\n"}}
	c := config.New(w.options())
	err := c.Declare("", config.Option{Name: "m", Mutable: true}, config.Option{Name: "fixed", Default: "f$m"},
		config.Option{Name: "other", Default: "o"}, config.Option{Name: "loose", Default: "$m$fixed$other", Mutable: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Parse([]string{"--config-file=/c"}); err != nil {
		t.Fatal(err)
	}
	w.files["/c"] = "[DEFAULT]\nm = 2\nother = changed\n"
	if _, err := c.Mutate(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"m": "2", "fixed": "f1", "other": "o", "loose": "2f1o"} {
		if got, err := c.Value("", name); got != want || err != nil {
			t.Errorf("%s = %v, %v, want %s", name, got, err, want)
		}
	}
}

// Readers see one file or the other, never half of each, while it is reloaded over and over.
func TestReloadWhole(t *testing.T) {
	type pair struct {
		A string `config:"a"`
		B string `config:"b"`
	}
	var n atomic.Int64
	o := (&world{}).options()
	o.ReadFile = func(string) ([]byte, error) {
		return fmt.Appendf(nil, "[DEFAULT]\na = %d\nb = $a\n", n.Add(1)), nil
	}
	c := config.New(o)
	if err := c.Register("", pair{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse([]string{"--config-file=/c"}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if p := config.Get[pair](c, ""); p.A != p.B || p.A == "" {
					t.Errorf("half of a configuration: %+v", p)
					return
				}
			}
		})
	}
	for range 500 {
		if _, err := c.Reload(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	wg.Wait()
}

func TestWarnings(t *testing.T) {
	l, log := logged()
	w := &world{files: map[string]string{"/c": "[DEFAULT]\napi_workers = 2\nold = 1\n"}}
	o := w.options()
	o.Logger = l
	c := config.New(o)
	if err := c.Register("api", apiOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Declare("", config.Option{Name: "old", Removal: &config.Removal{Since: "2026.2", Reason: "eventlet goes"}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse([]string{"--config-file=/c"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(); err != nil { // does not warn again
		t.Fatal(err)
	}
	want := `level=WARN msg="option is deprecated for removal" option=DEFAULT.old at=/c:3 since=2026.2 reason="eventlet goes"
level=WARN msg="option name is deprecated" option=DEFAULT.api_workers at=/c:2 use="[api] workers"
`
	if log.String() != want {
		t.Errorf("log:\n%s\nwant:\n%s", log, want)
	}
}

func TestLogValues(t *testing.T) {
	l, log := logged()
	w := &world{files: map[string]string{"/c": before}}
	c := start(t, w, l, "--api-host", "h")
	c.LogValues(l, slog.LevelDebug)
	for _, want := range []string{
		strings.Repeat("*", 80), "Configuration options gathered from:", "command line args: ['--config-file=/c', '--api-host', 'h']",
		"config files: ['/c']", "api.password                   = ****", "api.client_socket_timeout      = 10s", "api.workers                    = None",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the dump has no %q:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "one") && strings.Contains(log.String(), "= one") {
		t.Errorf("the dump shows a secret:\n%s", log)
	}
}

func TestLogValuesMasksArguments(t *testing.T) {
	l, log := logged()
	c := config.New((&world{}).options())
	if err := c.Declare("", config.Option{Name: "token", CLI: true, Short: "t", Secret: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse([]string{"--token", "hunter2", "--token=hunter2", "-thunter2", "-t", "hunter2"}); err != nil {
		t.Fatal(err)
	}
	c.LogValues(l, slog.LevelInfo)
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("the dump shows a secret:\n%s", log)
	}
	if want := "['--token', '****', '--token=****', '-t****', '-t', '****']"; !strings.Contains(log.String(), want) {
		t.Errorf("the dump has no %s:\n%s", want, log)
	}
}

// Who reads the configuration never waits for a disk that hangs during a reload.
func TestReadersDoNotWait(t *testing.T) {
	hang, reading := make(chan struct{}), make(chan struct{}, 1)
	o := (&world{}).options()
	first := true
	o.ReadFile = func(string) ([]byte, error) {
		if !first {
			reading <- struct{}{}
			<-hang
		}
		first = false
		return []byte(before), nil
	}
	c := config.New(o)
	if err := c.Register("api", apiOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Parse([]string{"--config-file=/c"}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := c.Reload()
		done <- err
	}()
	<-reading
	if got := config.Get[apiOptions](c, "api").Host; got != "a" {
		t.Errorf("host = %s, want a", got)
	}
	if _, err := c.Value("api", "host"); err != nil {
		t.Error(err)
	}
	close(hang)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
