// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/core"
	"github.com/mainstay-go/mainstay/internal/proc"
)

// A ProcessLauncher runs sets of services in supervised worker processes. It is this program's
// process that was started; it runs no service code itself. Worker processes exist on Linux; on
// other systems Run returns an error that wraps errors.ErrUnsupported.
//
// All methods may be called from many goroutines. Those that change something wait for the outcome,
// or for the end of their context, which abandons waiting and not the change.
type ProcessLauncher struct {
	opts      Options
	sets      []Set
	inProcess bool // by Launch with one worker: only a worker or probe of a former plan comes here

	state lifecycle

	mu    sync.Mutex
	shell *shell // while Run runs
}

// NewProcessLauncher returns a launcher without sets. Options are checked by Add and Run.
func NewProcessLauncher(opts Options) *ProcessLauncher {
	opts.setDefaults()
	return &ProcessLauncher{opts: opts}
}

// Add adds a set before Run. A set that cannot be run is refused: bad numbers and policies with an
// [*OptionError], a circle of its services with a [*CycleError]; nothing of it is kept then.
func (l *ProcessLauncher) Add(set Set) error {
	full := set.withDefaults(&l.opts)
	if err := full.check(); err != nil {
		return err
	}
	set.Name = full.Name // the other defaults may be others after a reload
	l.sets = append(l.sets, set)
	return nil
}

// elsewhere reports whether this process is no launcher but a worker or a probe of one.
func (l *ProcessLauncher) elsewhere() bool { return proc.Self().Role() != proc.Alone }

// Run starts the workers of all sets and supervises them until ctx, Stop or a signal ends it, or
// until nothing is left to supervise. It returns nil after a stop that was asked for and cut
// nothing; else an [*ExitError]. In a worker process it runs that worker instead, and in a probe it
// hands over the plan and ends the process; in those of another launcher of the same program, which is
// one with another [Options] Name, it returns nil at once, so that main comes to that.
func (l *ProcessLauncher) Run(ctx context.Context) error {
	err := l.run(ctx)
	if err == nil {
		l.state.set(StateStopped, nil)
		return nil
	}
	if _, ok := errors.AsType[*ExitError](err); !ok {
		err = &ExitError{ExitFailed, err}
	}
	l.state.set(StateFailed, err)
	return err
}

// run is Run as the role of this process has it.
func (l *ProcessLauncher) run(ctx context.Context) error {
	if l.elsewhere() {
		return l.assist(ctx)
	}
	p, err := makePlan(&l.opts, l.sets)
	if err != nil {
		return err
	}
	if l.opts.Check {
		p.InProcess = l.inProcess
		if err := checkServices(ctx, p, l.sets); err != nil {
			return err
		}
		return p.print(os.Stdout)
	}
	sh, err := newShell(l, p)
	if err != nil {
		return err
	}
	return sh.run(ctx)
}

// assist is Run in a worker or a probe.
func (l *ProcessLauncher) assist(ctx context.Context) error {
	self := proc.Self()
	hello, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	id, err := self.Hello(hello)
	if err != nil {
		return fmt.Errorf("%v: hello to the launcher: %w", self.Role(), err)
	}
	if id.Program != "" && id.Program != l.opts.Name {
		l.opts.Logger.Info("nothing to do for this launcher", "launcher", l.opts.Name, "process_of", id.Program)
		return nil
	}
	p, err := makePlan(&l.opts, l.sets)
	if self.Role() == proc.Probe {
		l.beProbe(ctx, p, err)
	}
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return l.work(ctx, id)
}

// launchers are the names of those that run in this process: workers tell by them whose they are.
var launchers struct {
	sync.Mutex
	names map[string]bool
}

// enter takes a name, and leave gives it back.
func enter(name string) error {
	launchers.Lock()
	defer launchers.Unlock()
	if launchers.names[name] {
		return fmt.Errorf("launcher %q runs in this process already; give each a Name of its own", name)
	}
	if launchers.names == nil {
		launchers.names = make(map[string]bool)
	}
	launchers.names[name] = true
	return nil
}

func leave(name string) {
	launchers.Lock()
	defer launchers.Unlock()
	delete(launchers.names, name)
}

// Stop stops gracefully and waits until nothing is left, or for ctx. A launcher that does not run is
// left alone; calling it again waits for the same stop.
func (l *ProcessLauncher) Stop(ctx context.Context) error {
	out, err := l.ask(ctx, core.Event{Kind: core.EventStop})
	return outcomeError(out, err)
}

// Reload makes a new plan and goes over to it, as HUP does, by the restart method.
func (l *ProcessLauncher) Reload(ctx context.Context) error {
	out, err := l.ask(ctx, core.Event{Kind: core.EventReload})
	return outcomeError(out, err)
}

// Scale sets the number of workers of a set; an empty name means the only one. It waits until new ones
// are ready and those too many have gone. Slots that were given up are tried again. The number holds
// through reloads for as long as the set's Workers, as main has it then, are what they were before; who
// changes them means the new number. While a reload is under way a Scale waits for its end; while the
// launcher stops it is refused.
func (l *ProcessLauncher) Scale(ctx context.Context, set string, workers int) error {
	if err := checkWorkers("workers", workers); err != nil {
		return err
	}
	if workers == Auto {
		workers = autoWorkers()
	}
	out, err := l.ask(ctx, core.Event{Kind: core.EventScale, Set: set, Count: workers})
	return outcomeError(out, err)
}

// Status returns what the launcher knows of itself and its workers.
func (l *ProcessLauncher) Status() control.Status {
	if sh := l.running(); sh != nil {
		return sh.status()
	}
	return control.Status{Program: l.opts.Name, Pid: os.Getpid(), State: l.State().String()}
}

// State returns where the launcher stands.
func (l *ProcessLauncher) State() State {
	s, _ := l.state.get()
	return s
}

// Await waits until the launcher is in state s; it fails when that cannot be any more without a new
// Run, or when ctx ends.
func (l *ProcessLauncher) Await(ctx context.Context, s State) error {
	if err := l.state.await(ctx, s); err != nil {
		return fmt.Errorf("launcher %s is %w", l.opts.Name, err)
	}
	return nil
}

// running returns the shell while Run runs, else nil.
func (l *ProcessLauncher) running() *shell {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shell
}

// errNotRunning is the answer of a launcher that runs nothing.
var errNotRunning = errors.New("the launcher is not running")

// ask puts a request to the loop and waits for its outcome.
func (l *ProcessLauncher) ask(ctx context.Context, e core.Event) (core.Outcome, error) {
	sh := l.running()
	if sh == nil {
		if e.Kind == core.EventStop {
			return core.Outcome{Action: "stop"}, nil
		}
		return core.Outcome{}, errNotRunning
	}
	return sh.ask(ctx, e)
}

// outcomeError makes one error of the two ways in which a request can fail.
func outcomeError(out core.Outcome, err error) error {
	if err == nil && out.Error != "" {
		return fmt.Errorf("%s: %s", out.Action, out.Error)
	}
	return err
}
