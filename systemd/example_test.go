// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package systemd_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mainstay-go/mainstay/systemd"
)

// A program that starts a daemon waits until it is ready.
func ExampleOnReady() {
	dir, err := os.MkdirTemp("", "onready")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	addr := filepath.Join(dir, "notify")
	os.Setenv("NOTIFY_SOCKET", addr)
	defer os.Unsetenv("NOTIFY_SOCKET")

	go func() { // stands in for the daemon
		for systemd.Notify(systemd.Ready) != nil {
			time.Sleep(time.Millisecond) // not bound yet
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := systemd.OnReady(ctx, addr)
	fmt.Println(answer, err)
	// Output: ready <nil>
}

func ExamplePassed() {
	for _, p := range systemd.ListenFDs() {
		fmt.Println(p.Name, p.FD)
	}
	fmt.Println(len(systemd.ListenFDs()), "sockets passed by the service manager")
	// Output: 0 sockets passed by the service manager
}

func ExampleStrip() {
	fmt.Println(systemd.Strip([]string{"HOME=/root", "NOTIFY_SOCKET=/run/systemd/notify"}))
	// Output: [HOME=/root]
}
