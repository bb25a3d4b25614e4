// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/handover"
	"github.com/mainstay-go/mainstay/web"
)

// A taker is a successor in another process, by hand: it answers each connection as answer says.
type taker struct {
	fd   int
	seen atomic.Int64
	done chan struct{}
}

// succeed joins this process with a taker for the servers on ln.
func succeed(t *testing.T, ln net.Listener, answer func(id []byte) []byte) *taker {
	t.Helper()
	ours, theirs, err := handover.Pair()
	if err != nil {
		t.Fatal(err)
	}
	handover.Local().Successor(ours)
	syscall.SetNonblock(theirs, false)
	k := &taker{fd: theirs, done: make(chan struct{})}
	key := ln.Addr().Network() + " " + ln.Addr().String()
	hello := binary.BigEndian.AppendUint16([]byte("Hmainstay\x00\x01"), uint16(len(key)))
	syscall.Sendmsg(theirs, append(hello, key...), nil, nil, 0)
	go func() {
		defer close(k.done)
		b, oob := make([]byte, 4096), make([]byte, 64)
		for {
			n, on, _, _, err := syscall.Recvmsg(theirs, b, oob, syscall.MSG_CMSG_CLOEXEC)
			if err != nil || n == 0 {
				return
			}
			if messages, _ := syscall.ParseSocketControlMessage(oob[:on]); len(messages) == 1 {
				fds, _ := syscall.ParseUnixRights(&messages[0])
				syscall.Close(fds[0])
			}
			if b[0] != 'G' {
				continue
			}
			k.seen.Add(1)
			reply := answer(b[1:9])
			if reply == nil {
				syscall.Close(theirs)
				return
			}
			syscall.Sendmsg(theirs, reply, nil, nil, syscall.MSG_NOSIGNAL)
		}
	}()
	t.Cleanup(func() {
		syscall.Shutdown(theirs, syscall.SHUT_RDWR)
		<-k.done
		syscall.Close(theirs)
	})
	return k
}

// A successor that cannot take connections, and one that dies after it took some, cost their clients
// nothing: they are served on here, and closed with an answer that says so.
func TestSuccessorIsNoHelp(t *testing.T) {
	const n = 100
	taken := 0
	for name, answer := range map[string]func(id []byte) []byte{
		"has no room": func(id []byte) []byte { return append(append([]byte("R"), id...), "no room"...) },
		"dies": func(id []byte) []byte {
			if taken++; taken > n/2 {
				return nil
			}
			return append([]byte("T"), id...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			ln := listen(t)
			r := start(t, &web.Server{Listener: duplicate(t, ln), Handler: sleeper, DrainGrace: time.Second})
			var conns []*client
			for range n {
				conn := dial(t, "tcp", ln.Addr().String())
				conn.get("/")
				conns = append(conns, conn)
			}
			conns[0].send("GET /?400ms HTTP/1.1\r\nHost: test\r\n\r\n")
			k := succeed(t, ln, answer)
			drained := make(chan error, 1)
			go func() { drained <- r.shutdown(drain.Replace, time.Minute) }()
			if !eventually(func() bool { return k.seen.Load() > 0 }) {
				t.Fatal("the successor was given nothing")
			}
			if a := conns[0].must(); a.body != "slept" {
				t.Errorf("answer %q", a.body)
			}
			var wg sync.WaitGroup
			for i, conn := range conns {
				wg.Go(func() {
					for closed := false; !closed; time.Sleep(50 * time.Millisecond) {
						io.WriteString(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
						a, err := conn.receive()
						if err != nil || a.body != "slept" {
							t.Errorf("connection %d: answer %q, %v", i, a.body, err)
							return
						}
						closed = a.closes()
					}
				})
			}
			wg.Wait()
			if err := <-drained; err != nil {
				t.Errorf("Shutdown = %v", err)
			}
			t.Logf("%d were given away", k.seen.Load())
		})
	}
}
