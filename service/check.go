// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay-go/mainstay/internal/proc"
)

// Check answers --check: it starts this program once more as a probe, which runs main up to Launch,
// binds nothing and runs every service's Check, and writes to w the plan that came of it. So it can be
// asked beside the same program in full service. Call it in main before anything is opened:
//
//	if check {
//		if done, err := service.Check(ctx, os.Stdout); done {
//			service.Exit(err)
//		}
//	}
//
// It reports that this process is done, with an error if the plan was refused; in the probe it
// returns false at once, and main goes on. Where there are no worker processes it returns false too,
// and Options.Check makes Launch itself check.
func Check(ctx context.Context, w io.Writer) (done bool, err error) {
	if proc.Self().Role() != proc.Alone {
		return false, nil
	}
	spawner, err := proc.NewSpawner()
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	defer spawner.Close()
	p, err := probe(ctx, spawner, "", defaultStartTimeout)
	if err != nil {
		return true, err
	}
	return true, p.print(w)
}

// print writes what a plan would do.
func (p *plan) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ok, %s on HUP\n", p.Name, p.RestartMethod)
	for _, spec := range p.Core.Sets {
		where := fmt.Sprintf("%d worker processes", spec.Workers)
		switch {
		case p.InProcess:
			where = "in one process"
		case spec.Workers == 1:
			where = "1 worker process"
		}
		fmt.Fprintf(&b, "set %s: %s, services %s\n", spec.Name, where, strings.Join(p.set(spec.Name).Services, " "))
	}
	for _, ln := range p.Listeners {
		fmt.Fprintf(&b, "listen %s\n", ln.Key())
	}
	for _, path := range slices.Sorted(maps.Keys(p.Snapshot)) {
		switch f := p.Snapshot[path]; {
		case f.Folder:
			fmt.Fprintf(&b, "folder %s: %d names\n", path, len(f.Names))
		case !f.Missing:
			fmt.Fprintf(&b, "file %s: %d bytes\n", path, len(f.Data))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
