// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/internal/bench/timers"
	"github.com/mainstay-go/mainstay/internal/peer"
)

// loadCommand as first argument makes this program the load generator: a process of its own, so that
// what it costs is not the servers'.
const loadCommand = "load"

func main() {
	peer.Main()
	if len(os.Args) == 2 && os.Args[1] == loadCommand {
		os.Exit(report(serveLoad(os.Stdin, os.Stdout)))
	}
	if len(os.Args) == 2 && os.Args[1] == timersCommand {
		os.Exit(report(timers.Serve(os.Stdin, os.Stdout, timers.Kinds)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(report(benchmark(ctx)))
}

// report prints an error and returns the exit status for it.
func report(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	return 1
}

// serveLoad runs one load, described by r, and writes its result to w.
func serveLoad(r io.Reader, w io.Writer) error {
	var l load
	if err := json.NewDecoder(r).Decode(&l); err != nil {
		return err
	}
	res, err := l.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(res)
}

// A bench is one run of the benchmarks.
type bench struct {
	pairs    int           // of a comparison, in turn
	window   time.Duration // of one measurement of load
	warm     time.Duration // of load before it
	reloads  int           // in which latencies are looked at
	idle     time.Duration // how long an idle launcher is watched
	self     string        // this program
	bare     string        // the server compared with
	pipeline string        // an application behind filters
	hello    string        // examples/hello
	body     string        // what hello answers, and so everybody

	timers      timers.Plan // of the row timers
	timerRounds int
}

// benchmark reads the flags, runs the rows and prints the table.
func benchmark(ctx context.Context) error {
	b := &bench{warm: 300 * time.Millisecond, reloads: 20, timerRounds: 5}
	b.timers = timers.Plan{Calls: 100_000, Interval: time.Second, Warm: 2 * time.Second, Window: 10 * time.Second}
	flag.IntVar(&b.pairs, "pairs", 15, "pairs of each comparison, measured in turn")
	flag.DurationVar(&b.window, "window", 2*time.Second, "length of one measurement under load")
	flag.DurationVar(&b.idle, "idle", time.Minute, "how long the idle launcher is watched")
	flag.StringVar(&b.hello, "hello", "", "program to measure; default examples/hello, built from here")
	only := flag.String("rows", "", "run the rows whose name this `regexp` matches; default all")
	quick := flag.Bool("quick", false, "3 pairs, half a second each, 3 reloads, 10 s idle: to try the harness, not to judge by")
	list := flag.Bool("list", false, "list the rows and end")
	record := flag.String("record", "", "write the result into this Markdown `file` too")
	strict := flag.Bool("strict", false, "end with 1 if a target was not reached")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flag.Arg(0))
	}
	if *quick {
		b.pairs, b.reloads, b.window, b.idle = 3, 3, 500*time.Millisecond, 10*time.Second
		b.timerRounds, b.timers.Warm, b.timers.Window = 1, time.Second, 2*time.Second
	}
	if b.pairs < 1 || b.window <= 0 || b.idle <= 0 {
		return errors.New("pairs, window and idle must be above 0")
	}
	want, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if *list {
		for _, r := range rows {
			fmt.Printf("%-21s %s\n", r.name, r.about)
		}
		return nil
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	table := b.run(ctx, want)
	if err := ctx.Err(); err != nil {
		return errors.New("interrupted")
	}
	table.print(os.Stdout)
	if *record != "" {
		if err := table.record(*record); err != nil {
			return err
		}
	}
	return table.verdict(*strict)
}

// prepare builds the programs and learns the answer that all servers have to give.
func (b *bench) prepare(ctx context.Context) error {
	var err error
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	dir, err := peer.Dir("bin")
	if err != nil {
		return err
	}
	build := func(name, pkg string) (string, error) {
		out := filepath.Join(dir, name)
		cmd := exec.CommandContext(ctx, "go", "build", "-o", out, pkg)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("build %s: %w", pkg, err)
		}
		return out, nil
	}
	const module = "github.com/mainstay-go/mainstay/"
	if b.bare, err = build("bare", module+"internal/bench/bare"); err != nil {
		return err
	}
	if b.pipeline, err = build("pipeline", module+"internal/bench/pipeline"); err != nil {
		return err
	}
	if b.hello == "" {
		if b.hello, err = build("hello", module+"examples/hello"); err != nil {
			return err
		}
	}
	s, err := inProcess.launch(b)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.AwaitAccept("tcp", s.addr, startLimit); err != nil {
		return err
	}
	b.body, err = get(s.addr)
	return err
}

// run runs the rows that want matches, and says on standard error where it is.
func (b *bench) run(ctx context.Context, want *regexp.Regexp) *table {
	t := newTable(b)
	for _, r := range rows {
		if !want.MatchString(r.name) || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s: %s\n", r.name, r.about)
		results, err := r.run(ctx, b)
		t.add(r.name, results, err)
	}
	return t
}
