// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/internal/wire"
)

// full has every field set.
var full = wire.Message{
	Type: wire.Welcome, ID: 1, Re: 2, Error: "no", Version: 3, Pid: 4,
	Identity: &wire.Identity{
		Set: "api", Slot: 1, Count: 2, Generation: 3, Incarnation: 4, Program: "hello", Procs: 5, Memory: 7,
		StartTimeout: 6, ShutdownTimeout: -1, RestartMethod: "mutate",
	},
	Name: "tcp :80", Names: []string{"tcp :81"}, Addr: "127.0.0.1:80", Slot: 5, Own: true, Spec: []byte(`{"network":"tcp"}`), Reason: "stop",
	Timeout: -1, Cut: 6, Count: 9, Text: "a line", Body: []byte(`[1,2]`),
}

func TestCodecRoundTrip(t *testing.T) {
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("field %s is not in this test", v.Type().Field(i).Name)
		}
	}
	for name, m := range map[string]wire.Message{"every field": full, "type alone": {Type: wire.Ready}} {
		p, err := wire.Encode(&m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, ok := wire.Decode(p); !ok || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, ok, m)
		}
	}
}

func TestDecodeTolerates(t *testing.T) {
	for name, c := range map[string]struct {
		packet string
		ok     bool
	}{
		"an unknown type":        {`{"t":"levitate"}`, true},
		"unknown fields":         {`{"t":"ready","colour":{"a":[1]},"id":7}`, true},
		"no JSON":                {"GET / HTTP/1.1", false},
		"nothing":                {"", false},
		"no type":                {`{"id":7}`, false},
		"a number for a type":    {`{"t":5}`, false},
		"a list":                 {`[]`, false},
		"two objects":            {`{"t":"ready"}{"t":"ready"}`, false},
		"a negative request":     {`{"t":"ready","id":-1}`, false},
		"half an object":         {`{"t":"ready"`, false},
		"a null":                 {`null`, false},
		"bytes that are no text": {"\x00\xff\xfe", false},
	} {
		if m, ok := wire.Decode([]byte(c.packet)); ok != c.ok {
			t.Errorf("%s: Decode(%q) = %+v, %v, want %v", name, c.packet, m, ok, c.ok)
		}
	}
}

func TestEncodeRefusesWhatIsTooLarge(t *testing.T) {
	base, err := wire.Encode(&wire.Message{Type: wire.Log, Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	room := wire.MaxPacket - len(base) + 1
	if p, err := wire.Encode(&wire.Message{Type: wire.Log, Text: strings.Repeat("x", room)}); err != nil || len(p) != wire.MaxPacket {
		t.Errorf("largest packet: %d bytes, %v", len(p), err)
	}
	if _, err := wire.Encode(&wire.Message{Type: wire.Log, Text: strings.Repeat("x", room+1)}); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("one byte more: %v, want %v", err, wire.ErrTooLarge)
	}
	if _, err := wire.Encode(&wire.Message{Type: wire.Plan, Body: []byte("no JSON")}); err == nil {
		t.Error("a body that is no JSON was encoded")
	}
}

func FuzzDecode(f *testing.F) {
	p, err := wire.Encode(&full)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Add([]byte(`{"t":"levitate","x":1}`))
	f.Add([]byte(`{"t":5}`))
	f.Add([]byte("\xff{"))
	f.Fuzz(func(t *testing.T, p []byte) {
		m, ok := wire.Decode(p)
		if !ok {
			return
		}
		if m.Type == "" {
			t.Fatalf("Decode(%q) is a message without a type", p)
		}
		// What was understood once is understood the same way again.
		q, err := wire.Encode(&m)
		if errors.Is(err, wire.ErrTooLarge) {
			return // escaping may make it grow
		}
		if err != nil {
			t.Fatalf("Encode(%+v): %v", m, err)
		}
		again, ok := wire.Decode(q)
		if !ok {
			t.Fatalf("Decode(%q) fails", q)
		}
		r, err := wire.Encode(&again)
		if err != nil || string(r) != string(q) {
			t.Fatalf("second round %q, %v, want %q", r, err, q)
		}
	})
}
