// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/internal/memfd"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// nextPlan makes the plan of a reload without touching what runs: by Options.Reload, or by a probe,
// which is this program started again up to Launch. Its error names what is wrong with the new files.
func (o *Options) nextPlan(ctx context.Context) (*plan, error) {
	if o.Reload != nil {
		return o.reloadedPlan(ctx, nil, false)
	}
	spawner, err := proc.NewSpawner()
	if err != nil {
		return nil, err
	}
	defer spawner.Close()
	return probe(ctx, spawner, o.Name, o.StartTimeout)
}

// reloadedPlan makes the plan of a reload by Options.Reload: sets keep their services and names.
func (o *Options) reloadedPlan(ctx context.Context, sets []Set, single bool) (*plan, error) {
	next, err := o.Reload(ctx)
	if err != nil {
		return nil, err
	}
	for path, f := range proc.Self().Remembered() {
		if f.Folder {
			_, err = ReadDir(path)
		} else {
			_, err = ReadFile(path)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	merged := *o
	merged.StartTimeout, merged.ShutdownTimeout = next.StartTimeout, next.ShutdownTimeout
	merged.RestartMethod, merged.Procs = next.RestartMethod, next.Procs
	merged.MemoryLimit = next.MemoryLimit
	merged.SettleTime, merged.Canary = next.SettleTime, next.Canary
	merged.Logger = cmp.Or(next.Logger, o.Logger)
	merged.setDefaults()
	sets = append([]Set(nil), sets...)
	if single && len(sets) == 1 {
		sets[0].Workers = max(next.Workers, 1)
	}
	p, err := makePlan(&merged, sets)
	if err != nil {
		return nil, err
	}
	p.logger = merged.Logger
	return p, nil
}

// probe starts a probe process and returns the plan that it makes for the launcher called name, empty
// for the first that main comes to.
func probe(ctx context.Context, spawner *proc.Spawner, name string, timeout time.Duration) (*plan, error) {
	if timeout < 0 {
		timeout = defaultStartTimeout // a probe that hangs must not block reloads for ever
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("the probe made no plan within %v", timeout))
	defer cancel()
	child, err := spawner.Start(proc.Command{Role: proc.Probe})
	if err != nil {
		return nil, fmt.Errorf("start probe: %w", err)
	}
	defer child.Close()
	stop := context.AfterFunc(ctx, func() { spawner.Kill(child.Pid, killSignal) })
	defer stop()

	p, err := receivePlan(child.Conn, name)
	exit := child.Wait() // the end of the channel is followed by that of the process
	switch {
	case p != nil:
		return p, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("the probe ended before Launch: %s: %s", describeExit(exit), lastSaid(child.Stderr))
}

// receivePlan reads what the probe says up to its plan or its error; both nil if it says neither.
func receivePlan(conn *wire.Conn, name string) (*plan, error) {
	for {
		m, fds, err := conn.Receive()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("probe: %w", err)
		}
		switch {
		case m.Type == wire.Hello:
			conn.Send(wire.Message{Type: wire.Welcome, Re: m.ID, Version: wire.Version, Identity: &wire.Identity{Program: name}})
		case m.Type == wire.Failed:
			closeAll(fds)
			return nil, errors.New(m.Error)
		case m.Type == wire.Plan && len(fds) == 2:
			return openPlan(fds[0], fds[1])
		}
		closeAll(fds)
	}
}

// openPlan reads a plan and its snapshot from the descriptors they came in, and closes these.
func openPlan(planFD, snapshotFD int) (*plan, error) {
	defer closeAll([]int{planFD, snapshotFD})
	data, err := memfd.Read(planFD)
	if err != nil {
		return nil, fmt.Errorf("plan of the probe: %w", err)
	}
	p := new(plan)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("plan of the probe: %w", err)
	}
	p.Snapshot, err = proc.OpenSnapshot(snapshotFD)
	return p, err
}

// beProbe hands the plan of this process to the launcher, if every Check agrees, and ends the process.
func (l *ProcessLauncher) beProbe(ctx context.Context, p *plan, err error) {
	if err == nil {
		p.InProcess = l.inProcess
		err = checkServices(ctx, p, l.sets)
	}
	if err == nil {
		err = sendPlan(p)
	}
	if err != nil {
		Refuse(err)
		os.Exit(ExitFailed)
	}
	os.Exit(ExitOK)
}

// Refuse tells the launcher, from the probe of a reload, why there is no plan: main cannot come to
// Launch with the files that it found. It reports whether the launcher was told; in other processes it
// does nothing. [Exit] calls it; it is for a main that ends by itself.
func Refuse(err error) (told bool) {
	self := proc.Self()
	if err == nil || self.Role() != proc.Probe {
		return false
	}
	return self.Conn().Send(wire.Message{Type: wire.Failed, Error: clip(err.Error())}) == nil
}

// sendPlan sends the plan and the snapshot, each in a memfd as either may be large.
func sendPlan(p *plan) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	planFD, err := memfd.Write("mainstay-plan", data)
	if err != nil {
		return err
	}
	snapshotFD, err := p.Snapshot.Memfd()
	if err != nil {
		return err
	}
	return proc.Self().Conn().Send(wire.Message{Type: wire.Plan}, planFD, snapshotFD)
}

// checkServices runs the Check of every service of every set, each within its start timeout.
func checkServices(ctx context.Context, p *plan, sets []Set) error {
	var errs []error
	for i, set := range sets {
		timeout := time.Duration(p.Core.Sets[i].StartTimeout)
		if timeout < 0 {
			timeout = defaultStartTimeout
		}
		for _, svc := range set.Services {
			c, ok := find[Checker](svc)
			if !ok {
				continue
			}
			cctx, cancel := context.WithTimeout(ctx, timeout)
			if err := c.Check(cctx); err != nil {
				errs = append(errs, &ServiceError{NameOf(svc), "check", err})
			}
			cancel()
		}
	}
	return errors.Join(errs...)
}

// clip shortens a text so that it fits into a message.
func clip(s string) string {
	if len(s) > 8<<10 {
		return strings.ToValidUTF8(s[:8<<10], "") + " ..."
	}
	return s
}

// lastLines joins the last of some lines into one.
func lastLines(lines []string) string {
	return strings.Join(lines[max(0, len(lines)-5):], " | ")
}
