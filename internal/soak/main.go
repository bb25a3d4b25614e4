// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/internal/peer"
	"github.com/mainstay-go/mainstay/internal/selfsigned"
)

func main() {
	peer.Main()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// A soak is one run of all parts.
type soak struct {
	share   int // of the counts: 1 is all, 20 a twentieth
	clients int
	seed    uint64
	dir     string // with the program and its certificate
	hello   string
	cert    selfsigned.Pair
}

// command reads the flags, runs the parts and prints the table.
func command(ctx context.Context) error {
	s := &soak{}
	flag.IntVar(&s.share, "share", 1, "divide all counts by this")
	flag.IntVar(&s.clients, "clients", 32, "clients of the load, a quarter of them with a connection for each request")
	flag.Uint64Var(&s.seed, "seed", 0, "of all that is random; default a new one for each load")
	only := flag.String("parts", "", "run the parts whose name this `regexp` matches; default all")
	names := flag.String("users", "", "root, nobody or both with a comma; default both where this is root")
	record := flag.String("record", "", "write the result into this Markdown `file` too")
	flag.Parse()
	if flag.NArg() > 0 || s.share < 1 || s.clients < 4 {
		return errors.New("want no arguments, a share of at least 1 and at least 4 clients")
	}
	want, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	users, err := usersOf(*names)
	if err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	began := time.Now()
	t := &table{}
	for _, u := range users {
		for _, p := range parts {
			if !want.MatchString(p.name) || ctx.Err() != nil {
				continue
			}
			fmt.Fprintf(os.Stderr, "soak: %s as %s\n", p.name, u.name)
			res, err := p.run(ctx, s, u, max(p.times/s.share, 1))
			t.add(p, u, res, err)
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	t.took = time.Since(began)
	t.print(os.Stdout)
	if *record != "" {
		if err := t.record(*record); err != nil {
			return err
		}
	}
	return t.verdict()
}

// A user is who the server runs as.
type user struct {
	name string
	uid  int // -1 is whoever runs this
}

var nobody = user{"nobody", 65534}

// usersOf returns those of a list, or all that this process may be.
func usersOf(list string) ([]user, error) {
	root := os.Geteuid() == 0
	if list == "" && !root {
		return []user{{"an unprivileged user", -1}}, nil
	}
	if list == "" {
		list = "root,nobody"
	}
	var all []user
	for name := range strings.SplitSeq(list, ",") {
		switch {
		case !root:
			return nil, fmt.Errorf("users: %q: only root can choose", name)
		case name == "root":
			all = append(all, user{"root", -1})
		case name == nobody.name:
			all = append(all, nobody)
		default:
			return nil, fmt.Errorf("users: %q: want root, nobody", name)
		}
	}
	return all, nil
}

// prepare builds hello and makes a certificate.
func (s *soak) prepare(ctx context.Context) error {
	var err error
	if s.dir, err = peer.Dir("soak"); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o755); err != nil { // others run it
		return err
	}
	s.hello = filepath.Join(s.dir, "hello")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", s.hello, "github.com/mainstay-go/mainstay/examples/hello")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build hello: %w: %s", err, out)
	}
	s.cert, err = selfsigned.Write(s.dir)
	return err
}
