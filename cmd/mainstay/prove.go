// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/prove"
)

func newProve() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "Show what a server loses under load",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, args []string) { cmd.Help() },
	}
	cmd.AddCommand(newProveLoad())
	return cmd
}

// proveLoad is the command of that name with its flags.
type proveLoad struct {
	remote
	load     prove.Load
	limits   prove.Limits
	shapes   []string
	ca       string
	insecure bool

	duration, think, pause, timeout durationFlag
	every, settle, worst, gap       durationFlag
	times                           int
	signals, commands               []string
	pid                             int
	reload, kill, stop              bool
	scale, set                      string
	lost, truncated, wrong, doubled uint64
}

func newProveLoad() *cobra.Command {
	p := &proveLoad{
		duration: durationFlag(10 * time.Second), pause: durationFlag(2 * time.Millisecond),
		timeout: durationFlag(30 * time.Second), every: durationFlag(500 * time.Millisecond), settle: durationFlag(100 * time.Millisecond),
	}
	cmd := &cobra.Command{
		Use:   "load TARGET",
		Short: "Put a server under load, disturb it, and count what is lost",
		Long: `Load sends requests to http://HOST:PORT/PATH, https://HOST:PORT/PATH, unix:/PATH or unix:@NAME, from
clients that never try again on their own account, checks every answer, and prints what came of it. It
ends with 0 if nothing was beyond the limits, else with 1 and a line for each kind of loss.

Any server will do: without --echo every request is a GET. With --echo, a path that answers POST with
the body it was sent, there are slow and chunked bodies, Expect: 100-continue and others too (--shapes).

What is done to the server meanwhile, each in turn at random times, --every so often and --times at
most (then the load ends):

  --signal HUP --pid N      a signal (repeatable); without --pid, to the program behind the control
                            socket, and HUP is complete when that shows a new generation
  --command LINE            a line of shell (repeatable)
  --reload                  a reload through the control socket (--socket, --state-path)
  --scale 1-8               another number of workers
  --kill                    SIGKILL of a worker; what it had in its hands is excused
  --stop                    one stop, --every after the beginning; clients leave when they are refused`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.load.Target = args[0]
			return p.run(cmd)
		},
	}
	p.flags(cmd)
	return cmd
}

func (p *proveLoad) flags(cmd *cobra.Command) {
	p.remote.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&p.load.Echo, "echo", "", "`path` that answers POST with the body it was sent")
	f.StringVar(&p.load.Path, "path", "", "`path` that answers GET (default that of TARGET, or /)")
	f.IntVar(&p.load.Clients, "clients", 16, "number of clients, each with one request under way")
	f.IntVar(&p.load.Fresh, "fresh", 0, "how many of them make a connection for each request")
	f.StringSliceVar(&p.shapes, "shapes", nil, "ways to send a request, drawn from at random, NAME or NAME:WEIGHT (default all): "+shapeNames())
	f.Var(&p.think, "think", "mean time between an answer and the next request")
	f.Float64Var(&p.load.Rate, "rate", 0, "requests per second of all clients (default as fast as answers come)")
	f.IntVar(&p.load.MaxBody, "max-body", 30_000, "bytes of a posted body, at most")
	f.IntVar(&p.load.LargeBody, "large-body", 300_000, "bytes of the body of a large post")
	f.Var(&p.pause, "pause", "mean pause between the pieces of a request")
	f.Var(&p.timeout, "timeout", "of a dial and of an answer")
	f.Var(&p.duration, "duration", "of the load; 0, the default with --requests, --times or --stop, until these are done, or an interrupt")
	f.Uint64Var(&p.load.Requests, "requests", 0, "end after so many requests; 0 is no limit")
	f.Uint64Var(&p.load.Seed, "seed", 0, "of all that is random (default a new one, which is printed)")
	f.BoolVar(&p.load.Series, "series", false, "report every second")
	f.BoolVar(&p.load.HTTP2, "http2", false, "speak HTTP/2: over TLS, or at once; unserved streams are sent again")
	f.StringVar(&p.ca, "ca", "", "PEM `file` of the authorities to trust (default the system's)")
	f.BoolVar(&p.insecure, "insecure", false, "trust any certificate")

	f.Var(&p.every, "every", "mean time between two disturbances")
	f.Var(&p.settle, "settle", "how long answers count as disturbed after one is complete")
	f.IntVar(&p.times, "times", 0, "how often each disturbance happens; 0 until the load ends")
	f.StringArrayVar(&p.signals, "signal", nil, "signal to send: HUP, USR1, TERM and others")
	f.IntVar(&p.pid, "pid", 0, "process to signal")
	f.StringArrayVar(&p.commands, "command", nil, "line of shell to run")
	f.BoolVar(&p.reload, "reload", false, "reload through the control socket")
	f.StringVar(&p.scale, "scale", "", "scale to random numbers of workers, `LEAST-MOST`")
	f.StringVar(&p.set, "set", "", "set to scale (default the only one)")
	f.BoolVar(&p.kill, "kill", false, "kill workers")
	f.BoolVar(&p.stop, "stop", false, "stop the program once")

	f.Uint64Var(&p.lost, "max-lost", 0, "requests without an answer that are allowed")
	f.Uint64Var(&p.truncated, "max-truncated", 0, "answers cut short that are allowed")
	f.Uint64Var(&p.wrong, "max-wrong", 0, "wrong answers that are allowed")
	f.Uint64Var(&p.doubled, "max-doubled", 0, "requests answered or executed twice that are allowed")
	f.Int64Var(&p.limits.Closes, "max-closes", -1, "kept connections that the server may close; -1 any number")
	f.Int64Var(&p.limits.Excused, "max-excused", -1, "requests that killed workers may take with them; -1 any number")
	f.Var(&p.worst, "max-worst", "latency that no answer may have; 0 any")
	f.Var(&p.gap, "max-gap", "time that may pass without any answer; 0 any")
	f.IntVar(&p.limits.Failed, "max-failed", 0, "disturbances of each kind that may fail")
}

func shapeNames() string {
	var names []string
	for _, s := range prove.AllShapes(true) {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// run runs the load and judges it.
func (p *proveLoad) run(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("duration") && (p.times > 0 || p.stop || p.load.Requests > 0) {
		p.duration = 0
	}
	if err := p.settings(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	report, err := p.load.Run(ctx)
	if err != nil {
		return err
	}
	write := report.Write
	if p.json {
		write = func(w io.Writer) error { return writeJSON(w, report) }
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	return verdict(cmd.ErrOrStderr(), report.Judge(p.limits))
}

// verdict makes an error of the last line, which main prints as it prints all, and writes the others.
func verdict(w io.Writer, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	last := len(lines) - 1
	for _, line := range lines[:last] {
		fmt.Fprintf(w, "%s: %s\n", programName, line)
	}
	return errors.New(lines[last])
}

// settings makes of the flags what they stand for.
func (p *proveLoad) settings() error {
	l := &p.load
	l.Think, l.Timeout, l.Duration = time.Duration(p.think), time.Duration(p.timeout), time.Duration(p.duration)
	l.Pause = cmp.Or(time.Duration(p.pause), -1)
	p.limits.Worst, p.limits.WorstGap = time.Duration(p.worst), time.Duration(p.gap)
	p.limits.Faults = map[prove.Class]uint64{
		prove.Lost: p.lost, prove.Truncated: p.truncated, prove.Wrong: p.wrong, prove.Doubled: p.doubled,
	}
	if err := p.parseShapes(); err != nil {
		return err
	}
	if err := p.trust(); err != nil {
		return err
	}
	return p.disturb()
}

// parseShapes names each shape as often as its weight says.
func (p *proveLoad) parseShapes() error {
	for _, text := range p.shapes {
		name, weight, ok := strings.Cut(text, ":")
		n, err := strconv.Atoi(weight)
		if !ok {
			n, err = 1, nil
		}
		if err != nil || n < 1 || n > 1000 {
			return fmt.Errorf("--shapes: %q: want NAME or NAME:WEIGHT, with a weight from 1 to 1000", text)
		}
		for range n {
			p.load.Shapes = append(p.load.Shapes, prove.Shape(name))
		}
	}
	return nil
}

func (p *proveLoad) trust() error {
	if p.ca == "" && !p.insecure {
		return nil
	}
	p.load.TLS = &tls.Config{InsecureSkipVerify: p.insecure}
	if p.ca == "" {
		return nil
	}
	pem, err := os.ReadFile(p.ca)
	if err != nil {
		return fmt.Errorf("--ca: %w", err)
	}
	p.load.TLS.RootCAs = x509.NewCertPool()
	if !p.load.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("--ca: %s: no certificate in it", p.ca)
	}
	return nil
}

// disturb makes the disturbances that the flags ask for.
func (p *proveLoad) disturb() error {
	add := func(name string, do func(context.Context, *prove.Scene) error) {
		p.load.Disturb = append(p.load.Disturb, prove.Disturbance{
			Name: name, Every: time.Duration(p.every), Times: p.times, Settle: cmp.Or(time.Duration(p.settle), -1), Do: do,
		})
	}
	c := p.client()
	for _, name := range p.signals {
		sig, err := parseSignal(name)
		switch {
		case err != nil:
			return err
		case p.pid > 0:
			add(name, prove.Signal(p.pid, sig))
		case sig == syscall.SIGHUP:
			add(name, prove.ReloadBy(c, sig))
		default:
			add(name, signalProgram(c, sig))
		}
	}
	for _, line := range p.commands {
		add(line, prove.Command(line))
	}
	if p.reload {
		add("reload", prove.Reload(c))
	}
	if p.scale != "" {
		least, most, err := parseRange(p.scale)
		if err != nil {
			return err
		}
		add("scale", prove.Scale(c, p.set, least, most))
	}
	if p.kill {
		add("kill", prove.KillWorker(c))
	}
	if p.stop {
		add("stop", prove.Stop(c))
		p.load.Disturb[len(p.load.Disturb)-1].Times = 1
	}
	return nil
}

// signalProgram sends a signal to the launcher behind a control socket.
func signalProgram(c *control.Client, sig os.Signal) func(context.Context, *prove.Scene) error {
	return func(ctx context.Context, s *prove.Scene) error {
		status, err := c.Status(ctx)
		if err != nil {
			return err
		}
		return prove.Signal(status.Pid, sig)(ctx, s)
	}
}

func parseRange(text string) (least, most int, err error) {
	from, to, ok := strings.Cut(text, "-")
	least, err1 := strconv.Atoi(from)
	most, err2 := strconv.Atoi(to)
	if !ok || err1 != nil || err2 != nil || least < 0 || most < least {
		return 0, 0, fmt.Errorf("--scale: %q: want LEAST-MOST", text)
	}
	return least, most, nil
}
