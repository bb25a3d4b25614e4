// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Lines answers every line that it is sent with that line, over TCP or a unix socket. It shows that
// the runtime is not about HTTP.
//
//	lines --listen 127.0.0.1:8010 --workers 2
package main

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
)

const (
	// maxLine is the longest line that is answered.
	maxLine = 64 << 10

	// lineTimeout is for how long the rest of a line may take. Between lines a client may be silent.
	lineTimeout = time.Minute
)

func main() { service.Exit(run(context.Background())) }

// run is main of the launcher and of every worker process.
func run(ctx context.Context) error {
	o := parseFlags()
	if o.check {
		if done, err := service.Check(ctx, os.Stdout); done {
			return err
		}
	}
	network, address, err := socket.ParseAddress(o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	ln, err := socket.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	srv := &server{socket.Server{Listener: ln, Handler: answer}}
	return service.Launch(ctx, service.Options{
		Name:            "lines",
		Workers:         o.workers,
		ShutdownTimeout: cmp.Or(time.Duration(o.shutdownTimeout), -1), // 0 waits without end
		Control:         control.SocketPath(cmp.Or(o.statePath, control.StatePath()), "lines"),
		ControlOptional: o.statePath == "", // one that was asked for must be had
		Files:           o.configFiles,
		Check:           o.check,
	}, service.Named("lines", srv))
}

// A server says where it serves.
type server struct{ socket.Server }

// Start logs the address beside starting.
func (s *server) Start(ctx context.Context) error {
	if err := s.Server.Start(ctx); err != nil {
		return err
	}
	slog.Info("serving", "address", s.Listener.Addr().String(), "pid", os.Getpid())
	return nil
}

// answer sends each line back. A drain ends it between two lines, never within one.
func answer(_ context.Context, c *socket.Conn) {
	r := bufio.NewReaderSize(c, maxLine)
	for c.Wait(r) == nil {
		c.SetReadDeadline(time.Now().Add(lineTimeout))
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			io.WriteString(c, "line too long\n")
		}
		if err != nil {
			return
		}
		if _, err := c.Write(line); err != nil {
			return
		}
		c.SetReadDeadline(time.Time{})
	}
}

type options struct {
	listen          string
	workers         int
	shutdownTimeout seconds
	statePath       string
	configFiles     files
	check           bool
}

// parseFlags reads the command line; a wrong one ends the program.
func parseFlags() options {
	o := options{shutdownTimeout: seconds(time.Minute)}
	flags := flag.NewFlagSet("lines", flag.ContinueOnError)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8010", "`address`: HOST:PORT, [::1]:PORT, :PORT, unix:/PATH or unix:@NAME")
	flags.IntVar(&o.workers, "workers", 1, "worker processes; 0 and 1 serve in this process")
	flags.Var(&o.shutdownTimeout, "shutdown-timeout", "`duration` that a graceful stop may take; 0 waits without end")
	flags.StringVar(&o.statePath, "state-path", "", "`directory` of the control socket (default "+control.StatePath()+", if it can be had)")
	flags.Var(&o.configFiles, "config-file", "configuration `file` that the workers keep; may be repeated")
	flags.Var((*folder)(&o.configFiles), "config-dir", "`directory` of configuration files, *.conf")
	flags.BoolVar(&o.check, "check", false, "make and check the plan, print it and start nothing")
	version := flags.Bool("version", false, "print the version")
	flags.SetOutput(io.Discard) // one line for a mistake, not the whole usage
	switch err := flags.Parse(os.Args[1:]); {
	case err == flag.ErrHelp:
		flags.SetOutput(os.Stdout)
		fmt.Println("Usage: lines [flags]")
		flags.PrintDefaults()
		os.Exit(0)
	case err != nil:
		service.Exit(err)
	case flags.NArg() > 0:
		service.Exit(fmt.Errorf("unknown argument %q", flags.Arg(0)))
	case *version:
		info, _ := debug.ReadBuildInfo()
		fmt.Println("lines", info.Main.Version)
		os.Exit(0)
	}
	return o
}

// seconds is a duration such as 30s or 2m, or a number of seconds.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }

func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if n, e := strconv.ParseUint(text, 10, 31); e == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 {
		return fmt.Errorf("want 30s, 2m or a number of seconds")
	}
	*s = seconds(d)
	return nil
}

// files collects the values of a flag that may be repeated.
type files []string

func (f *files) String() string { return fmt.Sprint([]string(*f)) }

func (f *files) Set(name string) error {
	*f = append(*f, name)
	return nil
}

// folder adds the configuration files of a directory, in the order of their names.
type folder files

func (f *folder) String() string { return (*files)(f).String() }

func (f *folder) Set(name string) error {
	if _, err := os.Stat(name); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(name, "*.conf"))
	*f = append(*f, found...)
	return err
}
