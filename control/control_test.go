// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// fullStatus has a value in every field, so that one lost on the way shows.
func fullStatus() control.Status {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return control.Status{
		Program: "demo", Pid: 10, State: "running", Generation: 2, Started: at, RestartMethod: "reload", Snapshot: "ab12",
		Listeners: []control.Listener{{Network: "tcp", Address: "127.0.0.1:8774", Queue: 1, Drops: 2}},
		Sets: []control.Set{{Name: "api", State: "running", Reason: "slow", Workers: 1, Scaled: true, Slots: []control.Worker{{
			ID: 1, Pid: 11, Generation: 2, Incarnation: 3, State: "running", Since: at, BootMillis: 4, Beat: 5,
			Running: 6, OldestMillis: 7, Served: 8, Lost: 9, Restarts: 10, LastExit: "killed by SIGKILL",
			Started: at, RSS: 11, Anon: 12, Goroutines: 13, Losses: control.Losses{QueueLeft: 1, StreamCut: 2, DeadlineKill: 3, Panic: 4, Crash: 5, Other: 6},
		}}}},
		Services: []control.Service{{Name: "api", State: "running"}},
		Last:     &control.Outcome{Action: "reload", Generation: 2, Millis: 5, Cut: 1, Lost: 2, Error: "late"},
		Operations: []control.Operation{{
			Outcome: control.Outcome{Action: "scale", Generation: 2, Millis: 5, Cut: 1, Lost: 2, Error: "late"}, By: "signal TTIN", At: at,
		}},
		Process: control.Process{RSS: 1, Anon: 2, Goroutines: 3, Running: 4},
		Served:  14, Losses: control.Losses{QueueLeft: 6, StreamCut: 5, DeadlineKill: 4, Panic: 3, Crash: 2, Other: 1},
	}
}

func TestStatusArrivesWhole(t *testing.T) {
	want := fullStatus()
	assertNoZeroField(t, reflect.ValueOf(want), "Status")
	_, c := serve(t, &target{status: want})
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatalf("Status: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Status = %+v, want %+v", got, want)
	}
}

// assertNoZeroField keeps fullStatus full when fields are added.
func assertNoZeroField(t *testing.T, v reflect.Value, name string) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		assertNoZeroField(t, v.Elem(), name)
	case reflect.Slice:
		assertNoZeroField(t, v.Index(0), name)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			assertNoZeroField(t, v.Field(i), name+"."+v.Type().Field(i).Name)
		}
	default:
		if v.IsZero() {
			t.Errorf("%s is not set in this test", name)
		}
	}
}

func TestActionsAnswerWithTheirOutcome(t *testing.T) {
	asked := make(chan string, 1) // one scale
	_, c := serve(t, &target{scale: func(_ context.Context, s string, n int) (control.Outcome, error) {
		asked <- fmt.Sprint(s, " ", n)
		return control.Outcome{Action: "scale", Generation: 1, Millis: 9}, nil
	}})
	ctx := t.Context()
	tests := map[string]struct {
		do   func() (control.Outcome, error)
		want control.Outcome
	}{
		"reload": {func() (control.Outcome, error) { return c.Reload(ctx) }, control.Outcome{Action: "reload", Generation: 2, Millis: 3}},
		"stop":   {func() (control.Outcome, error) { return c.Stop(ctx) }, control.Outcome{Action: "stop", Generation: 1, Millis: 4, Cut: 1}},
		"scale":  {func() (control.Outcome, error) { return c.Scale(ctx, "api", 3) }, control.Outcome{Action: "scale", Generation: 1, Millis: 9}},
		"check":  {func() (control.Outcome, error) { return c.Check(ctx) }, control.Outcome{Action: "check", Generation: 1}},
	}
	for name, test := range tests {
		if got, err := test.do(); got != test.want || err != nil {
			t.Errorf("%s = %+v, %v, want %+v", name, got, err, test.want)
		}
	}
	if got := <-asked; got != "api 3" {
		t.Errorf("target was asked for %q, want api 3", got)
	}
}

func TestErrorsOfTheTargetBecomeStatusAndMessage(t *testing.T) {
	tests := map[string]struct {
		out  control.Outcome
		err  error
		code int
		want control.Outcome
	}{
		"any error": {err: errors.New("probe: bad file"), code: 500},
		"with its own status": {
			err: fmt.Errorf("scale: %w", &control.Error{Code: 404, Message: "no set \"x\""}), code: 404,
		},
		"status forgotten": {err: &control.Error{Message: "odd"}, code: 500},
		"with an outcome": {
			out: control.Outcome{Action: "reload", Generation: 1, Millis: 30}, err: errors.New("not ready in time"), code: 500,
			want: control.Outcome{Action: "reload", Generation: 1, Millis: 30, Error: "not ready in time"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, c := serve(t, &target{reload: func(context.Context) (control.Outcome, error) { return test.out, test.err }})
			got, err := c.Reload(t.Context())
			e, ok := errors.AsType[*control.Error](err)
			if !ok || e.Code != test.code || e.Message != test.err.Error() {
				t.Errorf("Reload error = %#v, want %d %v", err, test.code, test.err)
			}
			want := test.want
			if want.Action == "" {
				want.Error = test.err.Error()
			}
			if got != want {
				t.Errorf("Reload outcome = %+v, want %+v", got, want)
			}
		})
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	srv, _ := serve(t, &target{})
	tests := map[string]struct {
		method, path, body string
		code               int
		want               string // in the error
	}{
		"unknown path":     {"GET", "/v1/nothing", "", 404, "/v1/nothing"},
		"root":             {"GET", "/", "", 404, "/"},
		"GET reload":       {"GET", "/v1/reload", "", 405, "POST"},
		"POST status":      {"POST", "/v1/status", "", 405, "GET"},
		"DELETE scale":     {"DELETE", "/v1/scale", "", 405, "POST"},
		"no body":          {"POST", "/v1/scale", "", 400, "workers"},
		"not JSON":         {"POST", "/v1/scale", "workers=2", 400, "workers"},
		"workers missing":  {"POST", "/v1/scale", `{"set":"api"}`, 400, "missing"},
		"negative":         {"POST", "/v1/scale", `{"workers":-1}`, 400, "-1"},
		"a fraction":       {"POST", "/v1/scale", `{"workers":1.5}`, 400, "1.5"},
		"mistyped field":   {"POST", "/v1/scale", `{"workers":1,"sett":"a"}`, 400, "sett"},
		"two values":       {"POST", "/v1/scale", `{"workers":1}{"workers":2}`, 400, "more than one"},
		"body over 64 KiB": {"POST", "/v1/scale", `{"set":"` + strings.Repeat("x", 70<<10) + `"}`, 400, "large"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			resp, body := roundTrip(t, srv.Path, test.method, test.path, test.body)
			var refused struct{ Error string }
			if err := json.Unmarshal(body, &refused); err != nil {
				t.Fatalf("body %q: %v", body, err)
			}
			if resp.StatusCode != test.code || !strings.Contains(refused.Error, test.want) {
				t.Errorf("%s %s = %d %q, want %d with %q", test.method, test.path, resp.StatusCode, refused.Error, test.code, test.want)
			}
			if test.code == 405 && resp.Header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

func roundTrip(t *testing.T, socket, method, path, body string) (*http.Response, []byte) {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, all
}

func TestCurlIsAClient(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	srv, _ := serve(t, &target{status: fullStatus()})
	out, err := exec.Command(curl, "-sS", "--fail", "--unix-socket", srv.Path, "http://mainstay/v1/status").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(`"program": "demo"`)) {
		t.Errorf("curl status: %v: %s", err, out)
	}
	out, err = exec.Command(curl, "-sS", "--fail", "--unix-socket", srv.Path, "http://mainstay/v1/scale", "-d", `{"set":"api","workers":4}`).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(`"action": "scale"`)) {
		t.Errorf("curl scale: %v: %s", err, out)
	}
}

func TestClientSaysWhyThereIsNoAnswer(t *testing.T) {
	dir := t.TempDir()

	path := filepath.Join(dir, "absent")
	if _, err := control.NewClient(path).Status(t.Context()); !errors.Is(err, control.ErrNoAnswer) || !strings.Contains(err.Error(), path) {
		t.Errorf("without a socket: %v, want ErrNoAnswer and %s", err, path)
	}

	path = stale(t, filepath.Join(dir, "stale"))
	if _, err := control.NewClient(path).Status(t.Context()); !errors.Is(err, control.ErrNoAnswer) {
		t.Errorf("stale socket: %v, want ErrNoAnswer", err)
	}

	path = filepath.Join(dir, "silent") // accepts in the kernel, never answers: a stopped program
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := control.NewClient(path).Status(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent program: %v, want deadline exceeded", err)
	}

	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 1<<10))
			conn.Close()
		}
	}()
	if _, err := control.NewClient(path).Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "ended before it answered") {
		t.Errorf("program that hangs up: %v", err)
	}

	if _, err := control.NewClient("").Status(t.Context()); err == nil {
		t.Error("empty path: no error")
	}
}

// stale leaves a socket file that nobody answers on.
func stale(t *testing.T, path string) string {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	return path
}

func TestStatePath(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/x/state")
	if got := control.StatePath(); got != "/x/state/mainstay" {
		t.Errorf("StatePath() = %q with XDG_STATE_HOME", got)
	}
	t.Setenv("XDG_STATE_HOME", "relative") // the specification has it ignored
	t.Setenv("HOME", "/home/me")
	want := "/home/me/.local/state/mainstay"
	if os.Geteuid() == 0 {
		want = "/var/lib/mainstay"
	}
	if got := control.StatePath(); got != want {
		t.Errorf("StatePath() = %q, want %q", got, want)
	}
	t.Setenv("HOME", "")
	if got := control.StatePath(); got != "/var/lib/mainstay" {
		t.Errorf("StatePath() = %q without a home", got)
	}
	if got := control.SocketPath("/var/lib/mainstay", "demo"); got != "/var/lib/mainstay/demo.sock" {
		t.Errorf("SocketPath = %q", got)
	}
}

func FuzzReadScale(f *testing.F) {
	f.Add(`{"set": "api", "workers": 2}`)
	f.Add(`{"workers": 0}`)
	f.Add(`{"workers": null}`)
	f.Add(`{"workers": 1e3} x`)
	f.Fuzz(func(t *testing.T, body string) {
		req, err := control.ReadScale(strings.NewReader(body))
		if err == nil && (req.Workers == nil || *req.Workers < 0) {
			t.Errorf("readScale(%q) let %v workers through", body, req.Workers)
		}
	})
}
