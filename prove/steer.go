// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// patience bounds what a disturbance waits for.
const patience = 2 * time.Minute

// Signal sends a signal to a process. When what it asks for is complete cannot be known: see
// Disturbance.Settle.
func Signal(pid int, sig os.Signal) func(context.Context, *Scene) error {
	return func(context.Context, *Scene) error { return signal(pid, sig) }
}

func signal(pid int, sig os.Signal) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer p.Release()
	if err := p.Signal(sig); err != nil {
		return fmt.Errorf("%v to process %d: %w", sig, pid, err)
	}
	return nil
}

// Command runs a line of shell; any exit code but 0 is a failure.
func Command(line string) func(context.Context, *Scene) error {
	return func(ctx context.Context, _ *Scene) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.WaitDelay = time.Second
		out, err := cmd.CombinedOutput()
		if err != nil {
			last := bytes.TrimSpace(out)
			return fmt.Errorf("%s: %w: %s", line, err, last[bytes.LastIndexByte(last, '\n')+1:])
		}
		return nil
	}
}

// Reload reloads a program through its control socket, to the end of the reload.
func Reload(c *control.Client) func(context.Context, *Scene) error {
	return func(ctx context.Context, _ *Scene) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_, err := c.Reload(ctx)
		return err
	}
}

// ReloadBy sends a signal to the program behind a control socket and waits until its status shows the
// reload that comes of it, complete.
func ReloadBy(c *control.Client, sig os.Signal) func(context.Context, *Scene) error {
	return func(ctx context.Context, _ *Scene) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		before, err := c.Status(ctx)
		if err != nil {
			return err
		}
		if err := signal(before.Pid, sig); err != nil {
			return err
		}
		s, err := await(ctx, c, "a new generation", func(s control.Status) bool {
			refused := s.Last != nil && s.Last.Error != "" && (before.Last == nil || *s.Last != *before.Last)
			return s.State == "running" && (s.Generation > before.Generation || refused)
		})
		if err == nil && s.Generation == before.Generation {
			err = fmt.Errorf("%v: %s", sig, s.Last.Error)
		}
		return err
	}
}

// await polls a status until it is as wanted.
func await(ctx context.Context, c *control.Client, what string, wanted func(control.Status) bool) (control.Status, error) {
	for {
		s, err := c.Status(ctx)
		if err != nil || wanted(s) {
			return s, err
		}
		if !sleep(ctx, 2*time.Millisecond) {
			return s, fmt.Errorf("waited %v for %s, state %s", patience, what, s.State)
		}
	}
}

// Scale changes the number of workers of a set to a random one from least to most, but not to the one
// there is. An empty name means the only set.
func Scale(c *control.Client, set string, least, most int) func(context.Context, *Scene) error {
	now := 0
	return func(ctx context.Context, s *Scene) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		n := least + s.Random.IntN(most-least+1)
		if n == now && most > least {
			n = least + (n-least+1)%(most-least+1)
		}
		now = n
		_, err := c.Scale(ctx, set, n)
		return err
	}
}

// KillWorker kills, by SIGKILL, one running worker of the program behind a control socket, and waits
// until all workers run again. Requests in its hands are excused: where the kernel tells (TCP, on
// Linux) those on connections that it had accepted, else those on connections that were there by then.
func KillWorker(c *control.Client) func(context.Context, *Scene) error {
	return func(ctx context.Context, s *Scene) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		// A worker that has just become ready is left alone: its death would count as a failed start.
		status, err := await(ctx, c, "workers that have run for a while", func(s control.Status) bool { return settled(s, 1500*time.Millisecond) })
		if err != nil {
			return err
		}
		var pids []int
		for _, set := range status.Sets {
			for _, w := range set.Slots {
				pids = append(pids, w.Pid)
			}
		}
		if len(pids) == 0 {
			return errors.New("no worker processes to kill")
		}
		pid := pids[s.Random.IntN(len(pids))]
		if err := s.kill(pid); err != nil {
			return err
		}
		_, err = await(ctx, c, "all workers", func(now control.Status) bool {
			for _, set := range now.Sets {
				for _, w := range set.Slots {
					if w.Pid == pid {
						return false
					}
				}
			}
			return settled(now, 0)
		})
		return err
	}
}

// settled reports whether all workers that are wanted run, for some time.
func settled(s control.Status, since time.Duration) bool {
	if s.State != "running" {
		return false
	}
	for _, set := range s.Sets {
		n := 0
		for _, w := range set.Slots {
			if w.State == "running" && time.Since(w.Since) >= since {
				n++
			}
		}
		if n != set.Workers || n != len(set.Slots) {
			return false
		}
	}
	return true
}

// kill kills a process and excuses what it had in its hands.
func (s *Scene) kill(pid int) error {
	holds, err := freeze(pid)
	now := time.Now()
	s.Killed(func(local net.Addr, dialed time.Time) bool {
		if tcp, ok := local.(*net.TCPAddr); ok && err == nil {
			// Dialed before, as a port is used again; a dial may be noticed late.
			return dialed.Before(now.Add(time.Second)) && holds(tcp.AddrPort())
		}
		return dialed.Before(now) // it cannot be known
	})
	return signal(pid, os.Kill)
}

// Stop stops the program behind a control socket. Clients leave when they are refused.
func Stop(c *control.Client) func(context.Context, *Scene) error {
	return func(ctx context.Context, s *Scene) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		s.Stopping()
		out, err := c.Stop(ctx)
		if err == nil && out.Cut > 0 {
			err = fmt.Errorf("stop: %d requests cut at the deadline", out.Cut)
		}
		return err
	}
}

// StopBy sends a signal that stops a process, and waits for its end. Clients leave when they are
// refused.
func StopBy(pid int, sig os.Signal, ended <-chan struct{}) func(context.Context, *Scene) error {
	return func(ctx context.Context, s *Scene) error {
		s.Stopping()
		if err := signal(pid, sig); err != nil {
			return err
		}
		select {
		case <-ended:
			return nil
		case <-time.After(patience):
			return fmt.Errorf("still there %v after %v", patience, sig)
		}
	}
}
