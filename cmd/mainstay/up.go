// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/daemon"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
	"github.com/mainstay-go/mainstay/web"
)

// upProgram is the reference control plane, which prints to out where it serves.
func upProgram(out io.Writer) daemon.Program {
	return daemon.Program{
		Name:    programName,
		Project: programName,
		Command: programName + " up",
		Description: "Runs an HTTP API in worker processes under one launcher, until it is told to stop. TERM stops it\n" +
			"gracefully, HUP reloads it, and the other commands steer it through its control socket.",
		Declare:  declareUp,
		Validate: validateUp,
		Run:      func(ctx context.Context, d *daemon.Daemon) error { return runUp(ctx, d, out) },
	}
}

func newUp() *cobra.Command {
	return &cobra.Command{
		Use:                "up",
		Short:              "Run the reference control plane",
		DisableFlagParsing: true, // its options are those of its configuration
		RunE: func(cmd *cobra.Command, args []string) error {
			return runProgram(cmd, upProgram(cmd.OutOrStdout()), args)
		},
	}
}

// runProgram runs a program of this binary.
func runProgram(cmd *cobra.Command, p daemon.Program, args []string) error {
	code := daemon.Run(cmd.Context(), p, args, os.LookupEnv, cmd.OutOrStdout(), cmd.ErrOrStderr())
	if code == service.ExitOK {
		return nil
	}
	return ended(code)
}

// ended is the exit code of a program that has said itself what there is to say.
type ended int

func (e ended) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func declareUp(conf *config.Config) error {
	for _, options := range []any{daemon.ServerOptions{}, web.Options{}} {
		if err := conf.Register("", options); err != nil {
			return err
		}
	}
	if err := conf.SetDefault("", "listen", "127.0.0.1:8774"); err != nil {
		return err
	}
	return conf.SetDefault("", "workers", 2)
}

func validateUp(s *config.Snapshot) error {
	err := daemon.ValidateServer(s)
	if wrong := config.Get[web.Options](s, "").Validate(); wrong != nil {
		err = errors.Join(err, s.Refuse("", "wsgi_log_format", wrong.Error()))
	}
	return err
}

// runUp is main of the launcher, of every worker and of the probe of a reload.
func runUp(ctx context.Context, d *daemon.Daemon, out io.Writer) error {
	api, err := service.Build("api", func(ctx context.Context) (service.Service, error) { return newServer(ctx, d) })
	if err != nil {
		return err
	}
	opts := d.Options()
	opts.ControlOptional = false // the other commands need it, and a second control plane must not begin
	l := service.NewProcessLauncher(opts)
	workers := config.Get[daemon.ServerOptions](d.Config, "").Workers
	if err := l.Add(service.Set{Name: "api", Services: []service.Service{api}, Workers: workers}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		announce(ctx, d, l, out)
	}()
	err = l.Run(ctx)
	cancel()
	<-announced
	return err
}

// newServer makes the API that the configuration asks for.
func newServer(ctx context.Context, d *daemon.Daemon) (service.Service, error) {
	conf := d.Config.Snapshot()
	network, address, err := socket.ParseAddress(config.Get[daemon.ServerOptions](conf, "").Listen)
	if err != nil {
		return nil, err
	}
	options := config.Get[web.Options](conf, "")
	ln, err := options.Socket().Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	api := &web.Server{Label: "api", Listener: ln, Handler: newAPI(), AccessLog: slog.Default()}
	options.Apply(api)
	return api, nil
}

// announce prints, once every worker serves, where. In a process that is no launcher that is never.
func announce(ctx context.Context, d *daemon.Daemon, l *service.ProcessLauncher, out io.Writer) {
	if l.Await(ctx, service.StateRunning) != nil {
		return
	}
	for _, a := range l.Status().Listeners {
		if a.Network == "unix" {
			fmt.Fprintf(out, "API on unix:%s\n", a.Address)
			continue
		}
		fmt.Fprintf(out, "API on http://%s/\n", a.Address)
	}
	fmt.Fprintf(out, "control socket %s\n", d.SocketPath())
}
