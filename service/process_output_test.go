// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/service"
)

// chatty has a launcher that prints in all its hooks, and workers that write to standard error alone,
// far more than a pipe takes.
var chatty = asProgram("chatty", func() {
	flood := func() { fmt.Fprint(os.Stderr, strings.Repeat(strings.Repeat("flood", 20)+"\n", 3000)) }
	runSets(baseOptions(), service.Set{Name: "api", Workers: 2, Services: []service.Service{
		service.Func(func(ctx context.Context) error {
			flood()
			<-ctx.Done()
			flood()
			return nil
		}),
	}})
})

// fullPipe returns the end of a pipe that nobody reads and that takes nothing more. It blocks whoever
// writes to it, as the pipe of a terminal multiplexer or a log collector that hangs.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	for chunk := make([]byte, 4096); ; {
		if _, err := syscall.Write(p[1], chunk); err != nil {
			break
		}
	}
	if err := syscall.SetNonblock(p[1], false); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(p[0]), "reader"), os.NewFile(uintptr(p[1]), "full pipe")
	t.Cleanup(func() { r.Close(); w.Close() })
	return w
}

// closedPipe returns the end of a pipe whose reader is gone.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return w
}

func withStderr(f *os.File) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.Stderr = f }
}

func TestX10OutputThatNobodyTakesStopsNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T) []func(*exec.Cmd){
		"stdout closed": func(t *testing.T) []func(*exec.Cmd) { return []func(*exec.Cmd){withStdout(closedPipe(t))} },
		"stderr closed": func(t *testing.T) []func(*exec.Cmd) { return []func(*exec.Cmd){withStderr(closedPipe(t))} },
		"both closed": func(t *testing.T) []func(*exec.Cmd) {
			return []func(*exec.Cmd){withStdout(closedPipe(t)), withStderr(closedPipe(t))}
		},
		"not there at all": func(t *testing.T) []func(*exec.Cmd) {
			return []func(*exec.Cmd){throughShell(`exec "$@" >&- 2>&-`)}
		},
		"stdout full": func(t *testing.T) []func(*exec.Cmd) { return []func(*exec.Cmd){withStdout(fullPipe(t))} },
		"stderr full": func(t *testing.T) []func(*exec.Cmd) { return []func(*exec.Cmd){withStderr(fullPipe(t))} },
		"both full": func(t *testing.T) []func(*exec.Cmd) {
			return []func(*exec.Cmd){withStdout(fullPipe(t)), withStderr(fullPipe(t))}
		},
	}
	for name, options := range tests {
		for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(fmt.Sprint(name, ", ", end), func(t *testing.T) {
				t.Parallel()
				f := startFleet(t, chatty, options(t)...)
				before := f.pids("api", 2)
				f.signal(syscall.SIGUSR2)
				if out, err := f.ctl.Reload(t.Context()); err != nil {
					t.Errorf("reload = %+v, %v", out, err)
				}
				after := f.pids("api", 2)
				if !disjoint(before, after) {
					t.Errorf("workers %v became %v, want others", before, after)
				}
				sendSignal(t, after[0], syscall.SIGKILL)
				f.goes(after[0])
				f.pids("api", 2)
				f.signal(end)
				f.exits(map[syscall.Signal]int{syscall.SIGTERM: service.ExitOK, syscall.SIGINT: service.ExitFailed}[end])
				for _, pid := range after {
					f.goes(pid)
				}
			})
		}
	}
}
