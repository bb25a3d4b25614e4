// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/internal/proc"
)

// BenchmarkStart is the time from the decision to start a worker to its first words, and to its end.
func BenchmarkStart(b *testing.B) {
	s, err := proc.NewSpawner()
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		c, err := s.Start(proc.Command{Role: proc.Worker, ExtraEnv: []string{programVar + "=" + counter}})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := c.Conn.Receive(); err != nil {
			b.Fatal(err)
		}
		if err := s.Kill(c.Pid, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		c.Wait()
		c.Close()
	}
}
