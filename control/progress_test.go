// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/control"
)

// rolling is a reload that is seen at two moments.
var rolling = []control.Progress{
	{Action: "reload", Step: "preparing", Generation: 2},
	{Action: "reload", Step: "rolling", Generation: 2, Sets: []control.SetProgress{{Set: "api", Ready: 1, Workers: 4, Leaving: 1}, {Set: "bus", Ready: 1, Workers: 1}}},
}

func TestProgressComesBeforeTheOutcome(t *testing.T) {
	tests := map[string]struct {
		told []control.Progress
		out  control.Outcome
		err  error
		code int
	}{
		"well":             {told: rolling, out: control.Outcome{Action: "reload", Generation: 2, Millis: 5}},
		"at once":          {out: control.Outcome{Action: "reload", Generation: 2}},
		"refused":          {err: &control.Error{Code: 409, Message: "the program is stopping"}, code: 409},
		"failed on theway": {told: rolling, out: control.Outcome{Action: "reload", Generation: 1}, err: errors.New("not ready in time"), code: 500},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, c := serve(t, &target{reload: func(ctx context.Context) (control.Outcome, error) {
				for _, p := range test.told {
					control.ProgressOf(ctx)(p)
				}
				return test.out, test.err
			}})
			var got []control.Progress
			c.Progress = func(p control.Progress) { got = append(got, p) }
			out, err := c.Reload(t.Context())
			if !reflect.DeepEqual(got, test.told) {
				t.Errorf("progress %+v, want %+v", got, test.told)
			}
			want := test.out
			if test.err != nil && want.Action != "" {
				want.Error = test.err.Error()
			}
			if out != want || (err == nil) != (test.err == nil) {
				t.Errorf("Reload = %+v, %v, want %+v, %v", out, err, want, test.err)
			}
			if e, ok := errors.AsType[*control.Error](err); err != nil && (!ok || e.Code != test.code || e.Message != test.err.Error()) {
				t.Errorf("error %#v, want %d %v", err, test.code, test.err)
			}
		})
	}
}

func TestProgressIsALineEach(t *testing.T) {
	srv, _ := serve(t, &target{reload: func(ctx context.Context) (control.Outcome, error) {
		control.ProgressOf(ctx)(rolling[0])
		return control.Outcome{Action: "reload", Generation: 2}, nil
	}})
	resp, body := roundTrip(t, srv.Path, "POST", "/v1/reload?progress=1", "")
	want := `{"progress":{"action":"reload","step":"preparing","generation":2}}` + "\n" +
		`{"outcome":{"action":"reload","generation":2,"millis":0,"cut":0}}` + "\n"
	if string(body) != want || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("answer %s as %s, want %s", body, resp.Header.Get("Content-Type"), want)
	}
}

// A program that ends while an action is under way has not answered.
func TestProgressWithoutAnEnd(t *testing.T) {
	srv, c := serve(t, &target{stop: func(ctx context.Context) (control.Outcome, error) {
		control.ProgressOf(ctx)(rolling[0])
		panic("the program ends here")
	}})
	srv.Logger = nil
	c.Progress = func(control.Progress) {}
	if _, err := c.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "ended before it answered") {
		t.Errorf("Stop = %v, want that there is no answer", err)
	}
}

func TestProgressAsText(t *testing.T) {
	for want, p := range map[string]control.Progress{
		"reload preparing": rolling[0],
		"reload rolling: api 1/4 ready, 1 leaving; bus 1/1 ready": rolling[1],
		"stop stopping: api 3 leaving":                            {Action: "stop", Step: "stopping", Sets: []control.SetProgress{{Set: "api", Leaving: 3}}},
	} {
		if got := p.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}

func TestTargetKnowsItsCaller(t *testing.T) {
	callers := make(chan control.Caller, 1) // one reload
	_, c := serve(t, &target{reload: func(ctx context.Context) (control.Outcome, error) {
		caller, _ := control.CallerOf(ctx)
		callers <- caller
		return control.Outcome{Action: "reload"}, nil
	}})
	if _, err := c.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := control.Caller{UID: os.Getuid(), PID: os.Getpid()}
	if got := <-callers; got != want && got != (control.Caller{}) { // where the kernel does not say
		t.Errorf("caller %+v, want %+v", got, want)
	}
	if _, ok := control.CallerOf(t.Context()); ok {
		t.Error("a context of no request has a caller")
	}
}

func FuzzReadStream(f *testing.F) {
	f.Add("{\"progress\":{\"action\":\"stop\"}}\n{\"outcome\":{\"action\":\"stop\"}}\n")
	f.Add("{\"error\":\"no\",\"code\":409}\n")
	f.Add("{}\n")
	f.Add("\n")
	f.Fuzz(func(t *testing.T, body string) {
		out, err := control.ReadStream(strings.NewReader(body), func(control.Progress) {})
		if err == nil && out.Error != "" && !strings.Contains(body, "error") {
			t.Errorf("readStream(%q) = %+v", body, out)
		}
	})
}
