// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package timers

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// serve measures a kind in fake time.
func serve(t *testing.T, name string, kinds ...Kind) (res Result, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		in, merr := json.Marshal(Plan{Kind: name, Calls: 100, Interval: time.Second, Warm: time.Second, Window: 5 * time.Second})
		if merr != nil {
			t.Fatal(merr)
		}
		var out bytes.Buffer
		if err = Serve(bytes.NewReader(in), &out, kinds); err == nil {
			err = json.Unmarshal(out.Bytes(), &res)
		}
	})
	return res, err
}

// In fake time every call of every kind comes, and in time.
func TestKinds(t *testing.T) {
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			res, err := serve(t, k.Name, Kinds...)
			if err != nil {
				t.Fatal(err)
			}
			if res.Rate < 0.99 || res.Rate > 1.01 || res.P50 != bucketSize || res.P99 != bucketSize || res.Stop != 0 || res.CPU <= 0 {
				t.Errorf("result %+v, want all calls, none late", res)
			}
		})
	}
}

func TestLateness(t *testing.T) {
	late := Kind{Name: "late", Start: func(p Plan, tick func(i int)) (func() error, error) {
		return Ticker.Start(p, func(i int) {
			if i%10 == 0 {
				time.Sleep(300 * time.Millisecond)
			}
			tick(i)
		})
	}}
	res, err := serve(t, "late", late)
	if err != nil || res.P50 != bucketSize || res.P99 != 300*time.Millisecond+bucketSize {
		t.Errorf("result %+v, %v, want one call in ten 300 ms late", res, err)
	}
}

func TestServeRefuses(t *testing.T) {
	nothing := func() error { return nil }
	for want, k := range map[string]Kind{
		"never: no calls": {Name: "never", Start: func(Plan, func(int)) (func() error, error) { return nothing, nil }},
		"deaf: 1 calls after the stop": {Name: "deaf", Start: func(p Plan, tick func(i int)) (func() error, error) {
			stop, err := Ticker.Start(p, tick)
			return func() error {
				time.AfterFunc(p.Interval, func() { tick(0) })
				return stop()
			}, err
		}},
		`no timers of kind "other"`: {Name: "known"},
	} {
		name := k.Name
		if name == "known" {
			name = "other"
		}
		if _, err := serve(t, name, k); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Serve = %v, want %s", err, want)
		}
	}
}
