// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
	"github.com/mainstay-go/mainstay/web"
)

// up is the reference control plane: its options, as the command line spells them.
type up struct {
	listen          string
	workers         int
	statePath       string
	restartMethod   string
	shutdownTimeout durationFlag
	configFiles     []string
	configDir       string
	check           bool
}

func newUp() *cobra.Command {
	u := up{shutdownTimeout: durationFlag(time.Minute)}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the reference control plane",
		Long: "Up runs an HTTP API in worker processes under one launcher, until it is told to stop. TERM stops it\n" +
			"gracefully, HUP reloads it, and the other commands steer it through its control socket.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return u.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&u.listen, "listen", "127.0.0.1:8774", "address of the API: HOST:PORT, [::1]:PORT, :PORT, unix:/PATH or unix:@NAME")
	f.IntVar(&u.workers, "workers", 2, "worker processes of the API")
	f.StringVar(&u.statePath, "state-path", control.StatePath(), "directory of the control socket, made if absent")
	f.StringVar(&u.restartMethod, "restart-method", "reload", "what HUP does: reload or mutate")
	f.Var(&u.shutdownTimeout, "shutdown-timeout", "bound of a graceful stop; 0 waits without end")
	f.StringArrayVar(&u.configFiles, "config-file", nil, "configuration file, may be repeated; kept with each generation of workers")
	f.StringVar(&u.configDir, "config-dir", "", "directory of further configuration files, *.conf in order of name")
	f.BoolVar(&u.check, "check", false, "make and check the plan, print it, start nothing")
	return cmd
}

// run is main of the launcher, of every worker and of the probe of a reload.
func (u *up) run(ctx context.Context, out io.Writer) error {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if u.check {
		if done, err := service.Check(ctx, out); done {
			return err
		}
	}
	opts, err := u.options()
	if err != nil {
		return err
	}
	network, address, err := socket.ParseAddress(u.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	ln, err := socket.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	defer ln.Close()

	api := &web.Server{Label: "api", Listener: ln, Handler: newAPI(), AccessLog: slog.Default()}
	l := service.NewProcessLauncher(opts)
	if err := l.Add(service.Set{Name: "api", Services: []service.Service{api}, Workers: u.workers}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		u.announce(ctx, l, out)
	}()
	err = l.Run(ctx)
	cancel()
	<-announced
	return err
}

// options makes the launcher's options of the command line's.
func (u *up) options() (service.Options, error) {
	method, err := service.ParseRestartMethod(u.restartMethod)
	if err != nil {
		return service.Options{}, fmt.Errorf("--restart-method: %w", err)
	}
	files, err := u.files()
	if err != nil {
		return service.Options{}, err
	}
	return service.Options{
		Name: programName,
		// Zero is without end here and the default there.
		ShutdownTimeout: cmp.Or(time.Duration(u.shutdownTimeout), -1),
		RestartMethod:   method,
		Files:           files,
		Control:         u.socketPath(),
		Check:           u.check,
	}, nil
}

func (u *up) socketPath() string { return control.SocketPath(u.statePath, programName) }

// files returns the configuration files, those of the directory last.
func (u *up) files() ([]string, error) {
	if u.configDir == "" {
		return u.configFiles, nil
	}
	entries, err := os.ReadDir(u.configDir)
	if err != nil {
		return nil, fmt.Errorf("--config-dir: %w", err)
	}
	files := u.configFiles
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".conf" {
			files = append(files, filepath.Join(u.configDir, e.Name()))
		}
	}
	return files, nil
}

// announce prints, once every worker serves, where. In a process that is no launcher that is never.
func (u *up) announce(ctx context.Context, l *service.ProcessLauncher, out io.Writer) {
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
	fmt.Fprintf(out, "control socket %s\n", u.socketPath())
}
