// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && !386

package service_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

func TestQueueOfAListener(t *testing.T) {
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // as package bind makes them: of others the kernel counts elsewhere
	ln, err := plain.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	queueOf := func() (queue int, drops uint64) {
		raw.Control(func(fd uintptr) { queue, drops = service.QueueOf(int(fd)) })
		return queue, drops
	}
	raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 2) }) // room for three, as the kernel counts
	if err != nil {
		t.Fatal(err)
	}
	if queue, drops := queueOf(); queue != 0 || drops != 0 {
		t.Errorf("queue %d, drops %d of a new listener", queue, drops)
	}
	for range 3 {
		conn, err := net.DialTimeout("tcp", ln.Addr().String(), patience)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	late := time.Now().Add(patience)
	for queue, drops := queueOf(); queue != 3 || drops != 0; queue, drops = queueOf() {
		if time.Now().After(late) {
			t.Fatalf("queue %d, drops %d with three connections that nobody accepts", queue, drops)
		}
	}
	if conn, err := net.DialTimeout("tcp", ln.Addr().String(), 50*time.Millisecond); err == nil {
		conn.Close()
	}
	if queue, drops := queueOf(); queue != 3 || drops == 0 {
		t.Errorf("queue %d, drops %d after one connection too many", queue, drops)
	}
	if conn, err := ln.Accept(); err == nil {
		conn.Close()
	}
	if queue, _ := queueOf(); queue != 2 {
		t.Errorf("queue %d after one was accepted, want 2", queue)
	}
}

func TestQueueOfWhatIsNoTCPListener(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range append(fds[:], -1) {
		if queue, drops := service.QueueOf(fd); queue != 0 || drops != 0 {
			t.Errorf("queue %d, drops %d of descriptor %d", queue, drops, fd)
		}
		syscall.Close(fd)
	}
}
