// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/internal/proc"
)

func TestParseMarker(t *testing.T) {
	for value, want := range map[string]struct {
		role proc.Role
		err  string
	}{
		"1 worker":   {proc.Worker, ""},
		"1 probe":    {proc.Probe, ""},
		"1 launcher": {proc.Alone, "no such role"},
		"1":          {proc.Alone, "no such role"},
		"1  worker":  {proc.Alone, "no such role"},
		"2 worker":   {proc.Alone, "another version"},
		"":           {proc.Alone, "another version"},
		"worker":     {proc.Alone, "another version"},
	} {
		role, err := proc.ParseMarker(value)
		if role != want.role || (err == nil) != (want.err == "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("parseMarker(%q) = %v, %v, want %v and error %q", value, role, err, want.role, want.err)
		}
	}
}

func FuzzParseMarker(f *testing.F) {
	f.Add("1 worker")
	f.Add("2 probe")
	f.Fuzz(func(t *testing.T, value string) {
		if role, err := proc.ParseMarker(value); (role == proc.Alone) == (err == nil) {
			t.Errorf("parseMarker(%q) = %v, %v", value, role, err)
		}
	})
}

func TestChildEnv(t *testing.T) {
	env := []string{
		"A=1", "MAINSTAY_PROC=1 probe", "MAINSTAY_X=", "NOTIFY_SOCKET=/run/n", "NOTIFY_SOCKETS=kept",
		"WATCHDOG_USEC=1", "WATCHDOG_PID=2", "LISTEN_PID=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=x", "LISTENER=kept", "B=2",
	}
	before := slices.Clone(env)
	got := proc.ChildEnv(env, []string{"B=3", "C="}, proc.Worker)
	want := []string{"A=1", "NOTIFY_SOCKETS=kept", "LISTENER=kept", "B=3", "C=", "MAINSTAY_PROC=1 worker"}
	if !slices.Equal(got, want) {
		t.Errorf("childEnv() = %q, want %q", got, want)
	}
	if !slices.Equal(env, before) {
		t.Errorf("the environment given is now %q", env)
	}
}
