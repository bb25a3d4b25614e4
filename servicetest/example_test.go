// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package servicetest_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/servicetest"
)

// printer prints a line when it has been drained.
type printer struct{ counter }

func (p *printer) Shutdown(ctx context.Context) error {
	err := p.counter.Shutdown(ctx)
	fmt.Println("drained:", p.reason)
	return err
}

func ExampleRunner() {
	t := newExampleT() // in a test: its *testing.T
	defer t.end()

	r := servicetest.Start(t, &printer{counter{finish: 10 * time.Millisecond}})
	fmt.Println(r.States()[0].State)
	if err := r.Drain(service.Replace, time.Minute); err != nil {
		t.Errorf("not drained: %v", err)
	}
	// Output:
	// running
	// drained: replace
}

// An exampleT is as much of a test as an example needs.
type exampleT struct{ recorder }

func newExampleT() *exampleT { return new(exampleT) }

func (t *exampleT) Context() context.Context { return context.Background() }
func (t *exampleT) Output() io.Writer        { return io.Discard }

func (t *exampleT) end() {
	for _, cleanup := range t.cleanups {
		cleanup()
	}
	for _, e := range t.errors {
		fmt.Println(e)
	}
}
