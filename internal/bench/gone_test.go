// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"io"
	"os/exec"
	"testing"
	"time"
)

// patience bounds what a test waits for.
const patience = 30 * time.Second

func TestDeparture(t *testing.T) {
	var pids []int
	var ends []io.Closer
	for range 3 {
		cmd := exec.Command("cat") // until its input ends
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			in.Close()
			cmd.Wait()
		})
		pids, ends = append(pids, cmd.Process.Pid), append(ends, in)
	}
	d, err := watch(pids)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if err := d.wait(time.Millisecond); err == nil {
		t.Error("wait = nil although all are there")
	}
	ends[1].Close()
	for deadline := time.Now().Add(patience); d.left == 3; {
		if d.wait(time.Millisecond); time.Now().After(deadline) {
			t.Fatal("the end of one was not seen")
		}
	}
	if err := d.wait(time.Millisecond); err == nil || d.left != 2 {
		t.Errorf("wait = %v with %d left, want an error with 2", err, d.left)
	}
	ends[0].Close()
	ends[2].Close()
	if err := d.wait(patience); err != nil {
		t.Error(err)
	}
}

func TestDepartureOfTheGone(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	d, err := watch([]int{cmd.Process.Pid})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if err := d.wait(0); err != nil {
		t.Error(err)
	}
	if d, err := watch([]int{-1}); err == nil {
		d.close()
		t.Error("watch of what cannot be a process: no error")
	}
}
