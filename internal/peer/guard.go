// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package peer

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// guardMarker in the environment makes Main the guard.
const guardMarker = "MAINSTAY_PEER_GUARD"

// guardPatience is how long the guard waits between TERM and KILL.
const guardPatience = 3 * time.Second

// guard is this process's end of the pipe to its guard.
var guard struct {
	mu   sync.Mutex
	pipe *os.File // nil until the first program
	dir  string   // the temporary folder, empty until asked for
}

// Main turns this process into the guard if it was started as one, and then does not return.
// Otherwise it does nothing. Call it first in main or TestMain.
func Main() {
	if os.Getenv(guardMarker) == "" {
		return
	}
	// The terminal's signals are for the process that is guarded; its end shows in the pipe.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	watch(os.Stdin)
	os.Exit(0)
}

// Dir returns a new folder in the temporary folder of this process, which the guard removes.
func Dir(name string) (string, error) {
	guard.mu.Lock()
	defer guard.mu.Unlock()
	if guard.dir == "" {
		if err := startGuardLocked(); err != nil {
			return "", err
		}
		dir, err := os.MkdirTemp("", "mainstay-peer-")
		if err != nil {
			return "", err
		}
		// Servers that drop privileges must be able to pass through.
		if err := os.Chmod(dir, 0o755); err != nil {
			return "", err
		}
		guard.dir = dir
		if err := tellLocked("dir " + dir); err != nil {
			return "", err
		}
	}
	return os.MkdirTemp(guard.dir, name+"-")
}

// tell sends the guard a line, starting it before the first.
func tell(line string) error {
	guard.mu.Lock()
	defer guard.mu.Unlock()
	if err := startGuardLocked(); err != nil {
		return err
	}
	return tellLocked(line)
}

func tellLocked(line string) error {
	if _, err := fmt.Fprintln(guard.pipe, line); err != nil {
		return fmt.Errorf("peer guard: %w", err)
	}
	return nil
}

func startGuardLocked() error {
	if guard.pipe != nil {
		return nil
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	p, err := os.StartProcess(exe, []string{exe}, &os.ProcAttr{
		Env: append(os.Environ(), guardMarker+"=1"),
		// No standard output: go test waits for everyone who holds its own.
		Files: []*os.File{r, nil, nil},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		w.Close()
		return fmt.Errorf("start peer guard: %w", err)
	}
	guard.pipe = w // for as long as this process lives: its end is the signal
	return p.Release()
}

// watch keeps the list that the lines of r make, and at their end ends what is on it.
func watch(r io.Reader) {
	groups := map[int]bool{}
	dir := ""
	for s := bufio.NewScanner(r); s.Scan(); {
		word, arg, _ := strings.Cut(s.Text(), " ")
		pgid, _ := strconv.Atoi(arg)
		switch {
		case word == "dir":
			dir = arg
		case word == "add" && pgid > 1:
			groups[pgid] = true
		case word == "gone":
			delete(groups, pgid)
		}
	}
	for pgid := range groups {
		syscall.Kill(-pgid, syscall.SIGTERM)
	}
	for end := time.Now().Add(guardPatience); len(groups) > 0 && time.Now().Before(end); {
		for pgid := range groups {
			if len(Group(pgid)) == 0 {
				delete(groups, pgid)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	for pgid := range groups {
		syscall.Kill(-pgid, syscall.SIGKILL)
	}
	if dir != "" {
		os.RemoveAll(dir)
	}
}
