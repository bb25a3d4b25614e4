// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/logging"
	"github.com/mainstay-go/mainstay/service"
)

// A Program is what differs between programs.
type Program struct {
	Name        string // in logs, of the control socket, and of its own configuration file; must be set
	Project     string // of the configuration files: "nova" finds /etc/nova/nova.conf; "" is none
	Command     string // how it is called, for --help; default Name
	Description string // for --help
	Version     string // for --version; default that of the module it was built from

	// Declare registers the options of the program and changes defaults; nil is none. It is called in
	// every process of the program, first.
	Declare func(conf *config.Config) error

	// Validate says what is wrong with values that are each right by themselves, beside what package
	// config finds; see config.Options. nil is nothing.
	Validate func(s *config.Snapshot) error

	// Run makes the services of the configuration and launches them, with [Daemon.Options]. It is called
	// in every process of the program that has a configuration without mistakes. See service.Launch
	// for what it should leave to Start. It must be set.
	Run func(ctx context.Context, d *Daemon) error
}

// A Daemon is a program with its configuration and its log.
type Daemon struct {
	Config *config.Config // what it was told; it follows a reload
	Logger *slog.Logger   // also slog.Default

	program Program
	check   bool
	log     *logging.Log
	relay   relay
}

// Main runs the program with the arguments, environment and streams of this process, and ends it with
// the exit code.
func Main(p Program) {
	os.Exit(Run(context.Background(), p, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// Run is Main with all of that given, and returns the exit code. It sets slog.Default. Worker processes
// are started with the arguments of this process, whatever args are.
func Run(ctx context.Context, p Program, args []string, env func(string) (string, bool), stdout, stderr io.Writer) int {
	d := &Daemon{program: p}
	d.program.Command = cmp.Or(p.Command, p.Name)
	d.program.Version = cmp.Or(p.Version, buildVersion())
	err := d.run(ctx, args, env, stdout, stderr)
	if told := service.Refuse(err); !told {
		complain(stderr, p.Name, err)
	}
	return service.ExitCode(err)
}

func (d *Daemon) run(ctx context.Context, args []string, env func(string) (string, bool), stdout, stderr io.Writer) error {
	if err := d.declare(env); err != nil {
		return err
	}
	if len(args) > 0 && args[0] == "config" {
		return d.command(ctx, args, stdout)
	}
	args, d.check = cut(args, "--check")
	args, strict := cut(args, "--strict")
	switch err := d.Config.Parse(args); {
	case errors.Is(err, config.ErrHelp):
		return d.usage(stdout)
	case errors.Is(err, config.ErrVersion):
		_, err := fmt.Fprintln(stdout, d.program.Name, d.program.Version)
		return err
	case err != nil:
		return err
	case strict && !d.check:
		return errors.New("argument --strict: it goes with --check")
	}
	if d.check && service.InLauncher() {
		if done, err := d.checkPlan(ctx, strict, stdout); done {
			return err
		}
	}
	if err := d.begin(stderr); err != nil {
		return err
	}
	defer d.log.Close()
	return d.program.Run(ctx, d)
}

// declare makes the configuration, without values.
func (d *Daemon) declare(env func(string) (string, bool)) error {
	d.Config = config.New(config.Options{
		Project: d.program.Project, Program: d.program.Name, Command: d.program.Command,
		Version: d.program.Version, Description: d.program.Description,
		ReadFile: service.ReadFile, ReadDir: service.ReadDir, LookupEnv: env,
		Logger: slog.New(&d.relay), Validate: d.validate,
	})
	if err := register(d.Config); err != nil {
		return err
	}
	if d.program.Declare == nil {
		return nil
	}
	return d.program.Declare(d.Config)
}

// validate says what is wrong with the options of the log, and with those of the program.
func (d *Daemon) validate(s *config.Snapshot) error {
	err := config.Get[logging.Options](s, "").Validate()
	if d.program.Validate == nil {
		return err
	}
	return errors.Join(err, d.program.Validate(s))
}

// checkPlan answers --check; it is not done where there are no probes.
func (d *Daemon) checkPlan(ctx context.Context, strict bool, stdout io.Writer) (done bool, err error) {
	if strict {
		if err := d.Config.CheckUnknown(); err != nil {
			return true, err
		}
	}
	for _, w := range d.Config.Snapshot().Warnings() {
		fmt.Fprintf(stdout, "warning: %v\n", w)
	}
	for _, u := range d.Config.Unknown() {
		fmt.Fprintf(stdout, "warning: %v\n", u)
	}
	return service.Check(ctx, stdout)
}

// begin sets up the log, and has a worker take over a mutate that came before it.
func (d *Daemon) begin(stderr io.Writer) error {
	var err error
	who := logging.Process{Program: d.program.Name, Worker: worker, Stderr: stderr}
	if d.log, err = logging.New(config.Get[logging.Options](d.Config, ""), who); err != nil {
		return err
	}
	d.Logger = d.log.Logger()
	slog.SetDefault(d.Logger)
	d.Config.OnMutate(func([]config.Change) error { return d.followLog() })
	if service.InLauncher() { // workers see what the launcher sees: it speaks for all of them
		handler := d.log.Handler()
		d.relay.to.Store(&handler)
		d.beginLog()
	}
	if service.Mutated() {
		_, err = d.Config.Mutate()
	}
	return err
}

// Options returns the options of a launcher as the configuration has them: all but Workers, and Hooks
// and Files, which are the program's.
func (d *Daemon) Options() service.Options {
	conf := d.Config.Snapshot()
	svc, rt := config.Get[ServiceOptions](conf, ""), config.Get[RuntimeOptions](conf, "")
	method := service.RestartReload
	if rt.RestartMethod == service.RestartMutate.String() {
		method = service.RestartMutate
	}
	return service.Options{
		Name:            d.program.Name,
		ShutdownTimeout: cmp.Or(svc.GracefulShutdownTimeout, -1), // there 0 is the default
		RestartMethod:   method,
		Procs:           rt.Procs,
		Control:         d.socketPath(rt),
		ControlOptional: rt.StatePath == "", // one that was asked for must be had
		Configure:       d.configure,
		Reopen:          d.log.Reopen,
		Inspect:         map[string]func() any{configKind: func() any { return d.Config.Snapshot().Settings() }},
		Check:           d.check,
		Logger:          d.Logger,
	}
}

func (d *Daemon) socketPath(rt RuntimeOptions) string {
	return control.SocketPath(cmp.Or(rt.StatePath, control.StatePath()), d.program.Name)
}

// SocketPath returns the path of the program's control socket.
func (d *Daemon) SocketPath() string {
	return d.socketPath(config.Get[RuntimeOptions](d.Config, ""))
}

// configure takes over the files of a reload or mutate, in a process that goes on.
func (d *Daemon) configure(_ context.Context, how service.RestartMethod) error {
	if how == service.RestartMutate {
		_, err := d.Config.Mutate()
		return err
	}
	before := config.Get[logging.Options](d.Config, "")
	changes, err := d.Config.Reload()
	if err != nil {
		return err
	}
	for _, ch := range changes {
		old, now := ch.Texts()
		d.Logger.Info("option changed", "option", ch.Group+"."+ch.Option, "old", old, "new", now, "at", ch.At.String())
	}
	if err := d.followLog(); err != nil {
		return err
	}
	d.warnLog(before)
	d.logOptions()
	return nil
}

// usage writes --help.
func (d *Daemon) usage(w io.Writer) error {
	if err := d.Config.Usage(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `  --check                            make and check the plan, print it, start nothing
  --strict                           with --check: refuse options that nobody declared

%s config sample|validate|show|diff: the configuration files, see %[1]s config --help
`, d.program.Command)
	return err
}

// cut removes a flag from arguments, up to "--".
func cut(args []string, flag string) (rest []string, found bool) {
	end := slices.Index(args, "--")
	if end < 0 {
		end = len(args)
	}
	head := slices.DeleteFunc(slices.Clone(args[:end]), func(a string) bool { return a == flag })
	return append(head, args[end:]...), len(head) < end
}

// complain writes a line for each mistake in a configuration, and one for any other error.
func complain(w io.Writer, name string, err error) {
	if err == nil {
		return
	}
	lines := []string{strings.ReplaceAll(err.Error(), "\n", "; ")}
	if isList(err) {
		lines = strings.Split(err.Error(), "\n")
	}
	said := make(chan struct{})
	go func() {
		defer close(said)
		for _, line := range lines {
			fmt.Fprintf(w, "%s: %s\n", name, line)
		}
	}()
	select {
	case <-said:
	case <-time.After(time.Second): // nobody reads it
	}
}

// isList reports whether each line of an error is a mistake of its own.
func isList(err error) bool {
	_, errs := errors.AsType[config.Errors](err)
	_, unknown := errors.AsType[config.UnknownError](err)
	return errs || unknown
}

// buildVersion is the version of the module that the program was built from.
func buildVersion() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return "(devel)"
	}
	return cmp.Or(info.Main.Version, "(devel)")
}
