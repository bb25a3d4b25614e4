// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
	"github.com/mainstay-go/mainstay/web"
)

// tried is a web server with two workers that is as well as its file says: well, failing, slow, stuck,
// or dying soon after it is ready.
var tried = asProgram("tried", func() {
	health, err := service.ReadFile(os.Getenv(settingsVar))
	if err != nil {
		service.Exit(err)
	}
	ln, err := socket.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		service.Exit(err)
	}
	opts := baseOptions()
	opts.SettleTime, _ = time.ParseDuration(os.Args[1])
	opts.Canary.Time, _ = time.ParseDuration(os.Args[2])
	opts.Canary.Requests = 5
	api := &web.Server{Label: "api", Listener: ln, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch string(health) {
		case "failing":
			w.WriteHeader(http.StatusBadGateway)
		case "slow":
			time.Sleep(50 * time.Millisecond)
		case "stuck":
			<-r.Context().Done()
		}
		io.WriteString(w, "well")
	})}
	mortal := service.Named("mortal", service.Func(func(ctx context.Context) error {
		if string(health) == "dying" {
			select {
			case <-time.After(100 * time.Millisecond):
				os.Exit(7)
			case <-ctx.Done():
			}
		}
		<-ctx.Done()
		return nil
	}))
	runSets(opts, service.Set{Name: "api", Workers: 2, Services: []service.Service{api, mortal}})
})

// startTried starts the program with a settling time and a time for its canary.
func startTried(t *testing.T, settle, canary string) *configuredFleet {
	t.Helper()
	f := &configuredFleet{file: filepath.Join(t.TempDir(), "health")}
	f.health("well")
	f.fleet = startFleet(t, tried, withArgs(settle, canary), withEnv(settingsVar+"="+f.file))
	return f
}

func (f *configuredFleet) health(word string) {
	if err := os.WriteFile(f.file, []byte(word), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// try reloads with a health and returns what came of it, with the pids before and after.
func (f *configuredFleet) try(word string) (before, after []int, err error) {
	f.t.Helper()
	before = f.pids("api", 2)
	f.health(word)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err = f.ctl.Reload(ctx)
	return before, f.pids("api", 2), err
}

func TestNewWorkersSettleBeforeTheOldOnesGo(t *testing.T) {
	t.Parallel()
	f := startTried(t, "300ms", "0s")
	f.up()
	begun := time.Now()
	before, after, err := f.try("well")
	if took := time.Since(begun); err != nil || !disjoint(before, after) || took < 600*time.Millisecond {
		t.Errorf("reload of %v made %v in %v, %v, want others after twice the settling time", before, after, took, err)
	}
	f.stops()
}

// What is ready and ends at once is taken back, and the next reload works.
func TestWorkersThatEndBeforeTheySettleAreTakenBack(t *testing.T) {
	t.Parallel()
	f := startTried(t, "10s", "0s")
	before, after, err := f.try("dying")
	if err == nil || !strings.Contains(err.Error(), "set api, worker 0 ended before it had settled: exit status 7") || !slices.Equal(before, after) {
		t.Errorf("reload of %v made %v, %v, want it taken back", before, after, err)
	}
	f.stops()
}

// A stop in the middle of a settling time does not wait for it.
func TestStopDoesNotWaitForWhatSettles(t *testing.T) {
	t.Parallel()
	f := startTried(t, "1h", "0s")
	f.up()
	f.signal(syscall.SIGHUP)
	f.until("settling", func(st control.Status) bool { return len(pidsOf(st, "api")) == 3 })
	f.stops()
}

func TestCanary(t *testing.T) {
	t.Parallel()
	for health, want := range map[string]string{
		"well":    "",
		"failing": "requests failed, with the old workers 0 of",
		"slow":    "a request takes",
		"stuck":   "it is stuck: each of",
		"dying":   "ended before it had settled: exit status 7",
	} {
		t.Run(health, func(t *testing.T) {
			t.Parallel()
			f := startTried(t, "0s", "2500ms")
			address := f.address()
			ctx, stop := context.WithCancel(context.Background())
			var clients sync.WaitGroup
			for range 6 {
				clients.Go(func() { visit(ctx, address) })
			}
			before, after, err := f.try(health)
			stop()
			clients.Wait()
			switch {
			case want == "" && (err != nil || !disjoint(before, after)):
				t.Errorf("reload of %v made %v, %v, want others", before, after, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !slices.Equal(before, after)):
				t.Errorf("reload of %v made %v, %v, want the same and an error with %q", before, after, err, want)
			}
			f.stops()
		})
	}
}

// visit asks for pages, each over a connection of its own, until ctx ends. What it does not get in time
// it gives up, and asks again.
func visit(ctx context.Context, address string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 6 * time.Second}
	for ctx.Err() == nil {
		if resp, err := client.Get("http://" + address + "/"); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		select {
		case <-time.After(5 * time.Millisecond): // the machine has others to serve
		case <-ctx.Done():
		}
	}
}
