// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
)

const program = "hello"

type options struct {
	listen          string
	workers         int
	procs           int
	restartMethod   string
	shutdownTimeout seconds
	tlsCert, tlsKey string
	configFiles     []string
	control         string // path of the control socket
	controlAsked    bool   // by --state-path, so it must be had
	check           bool
}

// parseFlags reads the command line. A wrong one ends the program with one line and exit code 1.
func parseFlags(args []string) options {
	o := options{shutdownTimeout: seconds(time.Minute), control: control.SocketPath(control.StatePath(), program)}
	f := flag.NewFlagSet(program, flag.ContinueOnError)
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address`: HOST:PORT, [::1]:PORT, :PORT, unix:/PATH or unix:@NAME")
	f.IntVar(&o.workers, "workers", 1, "worker processes; 0 and 1 serve in this process")
	f.IntVar(&o.procs, "procs", 0, "GOMAXPROCS of each worker process; 0 is an equal share of the CPUs, at least 2")
	f.StringVar(&o.restartMethod, "restart-method", "reload", "what HUP does: reload or mutate")
	f.Var(&o.shutdownTimeout, "shutdown-timeout", "`duration` that a graceful stop may take, as 30s, 2m or seconds; 0 waits without end")
	f.StringVar(&o.tlsCert, "tls-cert", "", "certificate `file` in PEM; with it and --tls-key the server speaks TLS")
	f.StringVar(&o.tlsKey, "tls-key", "", "key `file` in PEM")
	f.Func("state-path", "`directory` of the control socket, made if absent (default "+control.StatePath()+", if it can be had)", func(dir string) error {
		o.control, o.controlAsked = control.SocketPath(dir, program), true
		return nil
	})
	f.Func("config-file", "configuration `file` that each generation of workers keeps; may be repeated", func(name string) error {
		o.configFiles = append(o.configFiles, name)
		return nil
	})
	f.Func("config-dir", "`directory` of further configuration files, *.conf in order of name", func(dir string) error {
		if _, err := os.Stat(dir); err != nil {
			return err
		}
		found, err := filepath.Glob(filepath.Join(dir, "*.conf"))
		o.configFiles = append(o.configFiles, found...)
		return err
	})
	f.BoolVar(&o.check, "check", false, "make and check the plan, print it, start nothing")
	version := f.Bool("version", false, "print the version")
	f.SetOutput(io.Discard) // a mistake is one line, not the whole usage
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		f.SetOutput(os.Stdout)
		fmt.Printf("Usage: %s [flags]\n\n", program)
		f.PrintDefaults()
		os.Exit(0)
	case err != nil:
		service.Exit(err)
	case f.NArg() > 0:
		service.Exit(fmt.Errorf("argument %q: want flags only", f.Arg(0)))
	case *version:
		info, _ := debug.ReadBuildInfo()
		fmt.Println(program, info.Main.Version)
		os.Exit(0)
	}
	return o
}

// seconds is a duration such as 30s or 2m, or a number of seconds.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }

// Set reads text as flag.Value does.
func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if n, numErr := strconv.ParseInt(text, 10, 31); numErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 {
		return errors.New("want 30s, 2m or a number of seconds")
	}
	*s = seconds(d)
	return nil
}
