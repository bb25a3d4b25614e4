// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/control"
)

func TestInspectionsArriveWhole(t *testing.T) {
	want := []control.Inspection{
		{Pid: 1, Generation: 3, Value: json.RawMessage(`{"debug":true}`)},
		{Set: "api", Worker: 1, Pid: 2, Generation: 2, Service: "jobs/reaper", Value: json.RawMessage(`null`)},
		{Set: "api", Worker: 2, Pid: 3, Generation: 2, Error: "no answer"},
	}
	asked := make(chan string, 1) // one question
	_, c := serve(t, &target{inspect: func(_ context.Context, kind string) ([]control.Inspection, error) {
		asked <- kind
		return want, nil
	}})
	got, err := c.Inspect(t.Context(), "odd/kind %2f?")
	if err != nil {
		t.Fatal(err)
	}
	for i := range got { // the answer is indented
		var b bytes.Buffer
		if got[i].Value != nil && json.Compact(&b, got[i].Value) == nil {
			got[i].Value = b.Bytes()
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Inspect = %+v, want %+v", got, want)
	}
	if kind := <-asked; kind != "odd/kind %2f?" {
		t.Errorf("target was asked for %q", kind)
	}
}

func TestKindsAreListed(t *testing.T) {
	_, c := serve(t, &target{})
	if kinds, err := c.Kinds(t.Context()); err != nil || !slices.Equal(kinds, []string{"config", "tasks"}) {
		t.Errorf("Kinds = %q, %v", kinds, err)
	}
}

// A client in another language gets a list to loop over, and no null.
func TestNothingToInspectIsAnEmptyList(t *testing.T) {
	srv, _ := serve(t, &target{})
	if resp, body := roundTrip(t, srv.Path, "GET", "/v1/inspect/tasks", ""); resp.StatusCode != 200 || string(body) != "[]\n" {
		t.Errorf("GET = %d %q, want an empty list", resp.StatusCode, body)
	}
}

func TestInspectRefusals(t *testing.T) {
	srv, c := serve(t, &target{inspect: func(context.Context, string) ([]control.Inspection, error) {
		return nil, &control.Error{Code: 404, Message: "kind: want tasks"}
	}})
	_, err := c.Inspect(t.Context(), "task")
	if e, ok := errors.AsType[*control.Error](err); !ok || e.Code != 404 || e.Message != "kind: want tasks" {
		t.Errorf("Inspect = %#v, want what the target says", err)
	}
	for _, kind := range []string{"", ".", ".."} {
		if _, err := c.Inspect(t.Context(), kind); err == nil || !strings.Contains(err.Error(), "want a name") {
			t.Errorf("Inspect(%q) = %v, want it refused", kind, err)
		}
	}
	if resp, _ := roundTrip(t, srv.Path, "POST", "/v1/inspect/tasks", ""); resp.StatusCode != 405 {
		t.Errorf("POST = %d, want 405", resp.StatusCode)
	}
}
