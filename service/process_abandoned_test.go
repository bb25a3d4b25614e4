// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

// abandonable is killed while its processes are somewhere on their way, where its arguments say.
var abandonable = asProgram("abandonable", func() {
	_, err := os.Stat(os.Getenv(settingsVar))
	later := err == nil // in whatever is started once that file is there
	fmt.Println("main", later)
	stuckIn := func(where string) bool { return later && os.Args[1] == where }
	if stuckIn("main") {
		select {}
	}
	api := narrate("api")
	if stuckIn("start") {
		api.start = forever
	}
	opts := baseOptions()
	opts.ShutdownTimeout = 200 * time.Millisecond
	opts.Hooks = append(opts.Hooks, service.Hooks{AfterInit: func(ctx context.Context) error {
		if stuckIn("hook") {
			select {}
		}
		return nil
	}})
	runSets(opts, service.Set{Workers: 2, Services: []service.Service{api}})
})

// Nobody stays behind without a launcher, however far it has come: not a worker, and not a probe.
func TestSVC03LauncherKilledWhileItsProcessesHang(t *testing.T) {
	t.Parallel()
	for where, probed := range map[string]bool{"main": true, "start": false, "hook": false} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			file := shortDir(t) + "/now"
			f := startFleet(t, abandonable, withArgs(where), withEnv(settingsVar+"="+file))
			pids := f.pids("api", 2)
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if probed {
				f.signal(syscall.SIGHUP)
				f.seen(1, "main true")
			}
			sendSignal(t, pids[0], syscall.SIGKILL)
			f.goes(pids[0])
			f.seen(1, "main true")
			f.signal(syscall.SIGKILL)
			f.silent()
		})
	}
}

func TestSVC03LauncherKilledAtRandomTimes(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 40 {
		p := program(t, harried, withoutTerminal, withEnv("GORACE=atexit_sleep_ms=0"))
		moments[[]string{"starting", "reloading", "stopping"}[random.IntN(3)]](p)
		time.Sleep(delay(random))
		p.cmd.Process.Kill()
		p.silent()
	}
}
