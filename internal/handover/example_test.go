// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"fmt"
	"net"
	"time"

	"github.com/mainstay-go/mainstay/internal/handover"
)

// A generation of a server, which prints what it takes over.
type generation int

func (g generation) Accepts() bool { return true }
func (g generation) Shed(int) int  { return 0 }
func (g generation) Changed()      {}
func (g generation) Adopt(a handover.Arrival) {
	fmt.Printf("generation %d has a connection that is idle for %v\n", g, time.Since(a.Since).Round(time.Minute))
	a.Used() // it goes on elsewhere no more if this process dies
	a.Conn.Close()
}

func ExampleHub() {
	hub := handover.NewHub()
	old := hub.Open("tcp 127.0.0.1:80", generation(1))
	fmt.Println("somebody is there:", old.Able())

	next := hub.Open("tcp 127.0.0.1:80", generation(2))
	defer next.Close()
	idle, _ := net.Pipe()
	fmt.Println("it was taken:", old.Give(idle, time.Now().Add(-5*time.Minute), false))
	old.Close()
	// Output:
	// somebody is there: false
	// generation 2 has a connection that is idle for 5m0s
	// it was taken: true
}
