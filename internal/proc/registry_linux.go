// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"os"
	"sync"
	"syscall"
)

// registry is the children that are not reaped yet, of all spawners of this process. Reaping and
// signalling exclude each other: a pid that is in here is that child's, one that is not is anybody's.
type registry struct {
	mu sync.Mutex
	m  map[int]*Child
}

var children = registry{m: make(map[int]*Child)}

func (r *registry) add(c *Child) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.m[c.Pid] = c
}

// has reports whether pid is a child that is not reaped yet.
func (r *registry) has(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.m[pid] != nil
}

// kill sends sig to a child that is not reaped yet.
func (r *registry) kill(pid int, sig syscall.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m[pid] == nil {
		return fmt.Errorf("signal %d: %w", pid, ErrGone)
	}
	return os.NewSyscallError("kill", syscall.Kill(pid, sig))
}

// reap looks at every child, as one SIGCHLD may stand for the end of many.
func (r *registry) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for pid, c := range r.m {
		status, err := wait4(pid)
		if err == nil && status == nil {
			continue // it runs
		}
		delete(r.m, pid)
		c.exit = Exit{Pid: pid, Stolen: err != nil}
		if status != nil {
			c.exit.Status = *status
		}
		close(c.ended)
	}
}

// wait4 reaps pid if it has ended, and returns nil while it runs.
func wait4(pid int) (*syscall.WaitStatus, error) {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return nil, err
		case got != pid:
			return nil, nil
		}
		return &status, nil
	}
}
