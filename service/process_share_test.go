// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"testing"

	"github.com/mainstay-go/mainstay/service"
)

// The program shares prints the memory limit of each worker; all of them have 400 MB.
var _ = asProgram("shares", func() {
	svc := narrate("api")
	svc.start = func(ctx context.Context) error {
		w := service.WorkerOf(ctx)
		fmt.Printf("%s/%d has %d, %q\n", w.Set, w.ID, debug.SetMemoryLimit(-1), os.Getenv("GOMEMLIMIT"))
		return nil
	}
	opts := baseOptions()
	opts.MemoryLimit = 400e6
	runSets(opts, service.Set{Name: "api", Workers: 2, Services: []service.Service{svc}},
		service.Set{Name: "rpc", Workers: 2, Services: []service.Service{svc}})
})

// TestMemoryLimitIsShared looks at the limits of the first workers and of those that a resize and a
// reload bring.
func TestMemoryLimitIsShared(t *testing.T) {
	t.Parallel()
	f := startFleet(t, "shares")
	f.up()
	f.said(4, `has 100000000, ""`)
	if _, err := f.ctl.Scale(t.Context(), "api", 6); err != nil {
		t.Fatal(err)
	}
	f.seen(4, `has 50000000, ""`)
	f.said(8, " has ")
	if _, err := f.ctl.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.seen(12, `has 50000000, ""`)
	f.stops()
}

func TestMemoryLimitRefuses(t *testing.T) {
	err := service.NewProcessLauncher(service.Options{MemoryLimit: -2}).Run(t.Context())
	if option, ok := errors.AsType[*service.OptionError](err); !ok || option.Name != "memory_limit" {
		t.Errorf("Run() with a limit of -2 = %v, want an OptionError for memory_limit", err)
	}
}
