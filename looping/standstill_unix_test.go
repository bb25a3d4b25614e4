// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package looping_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/looping"
)

// loopVariable makes the test binary a program that loops, with PhaseLocked as its value says, and
// prints each start and each overrun.
const loopVariable = "LOOPING_TEST_LOOP"

const standstillInterval = 20 * time.Millisecond

func TestMain(m *testing.M) {
	if locked := os.Getenv(loopVariable); locked != "" {
		loopAndPrint(locked == "true")
		return
	}
	os.Exit(m.Run())
}

func loopAndPrint(locked bool) {
	base := time.Now()
	c := looping.Call{
		Timeout:     time.Minute, // should nobody end it
		PhaseLocked: locked,
		OnOverrun:   func(o looping.Overrun) { fmt.Println("overrun", int64(o.Took), int64(o.Late), o.Skipped) },
	}
	c.Every(context.Background(), standstillInterval, func(context.Context) error {
		_, err := fmt.Println("start", int64(time.Since(base)))
		return err
	})
}

// TestStoppedProcess stops a process that loops, for many intervals: the start that was due comes once,
// at once, and says how late it is. A test may be late itself, so only what must be is asserted.
func TestStoppedProcess(t *testing.T) {
	for _, locked := range []bool{false, true} {
		t.Run(fmt.Sprintf("locked %v", locked), func(t *testing.T) { testStoppedProcess(t, locked) })
	}
}

func testStoppedProcess(t *testing.T, locked bool) {
	const pause = 30 * standstillInterval
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%v", loopVariable, locked))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	lines := bufio.NewScanner(out)
	next := func() []int64 {
		for lines.Scan() {
			var v []int64
			fields := strings.Fields(lines.Text())
			for _, f := range fields[1:] {
				n, _ := strconv.ParseInt(f, 10, 64)
				v = append(v, n)
			}
			if fields[0] == "overrun" && len(v) == 3 && v[1] >= int64(pause/2) {
				return v
			}
		}
		t.Fatal("the loop ended without that overrun")
		return nil
	}
	lines.Scan() // it runs
	cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(pause)
	cmd.Process.Signal(syscall.SIGCONT)
	o := next()
	// A stop between calls makes the next one late; one in a call makes that long.
	took, skipped := time.Duration(o[0]), o[2]
	if leavesOut := took == 0 || locked; leavesOut && skipped < int64(pause/standstillInterval)/2 || took > 0 && took < pause/2 {
		t.Errorf("overrun: took %v, %d left out, want about %v or 0, and %d", took, skipped, pause, pause/standstillInterval)
	}
	var starts []int64
	for len(starts) < 2 && lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "start "); ok {
			n, _ := strconv.ParseInt(at, 10, 64)
			starts = append(starts, n)
		}
	}
	if len(starts) < 2 {
		t.Fatal("the loop ended after the standstill")
	}
	gap := time.Duration(starts[1] - starts[0])
	if !locked && gap < standstillInterval-standstillInterval/10 {
		t.Errorf("%v from the late start to the next, want an interval", gap)
	}
}
