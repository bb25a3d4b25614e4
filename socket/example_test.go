// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/socket"
)

func ExampleListen() {
	ln, err := socket.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ln.Close()
	_, err = socket.Listen(context.Background(), "tcp", ln.Addr().String())
	fmt.Println(errors.Is(err, syscall.EADDRINUSE))
	// Output: true
}

func ExampleListener_Shutdown() {
	ctx := context.Background()
	ln, err := socket.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan int)
	go func() { // any accept loop
		n := 0
		for {
			c, err := ln.Accept()
			if err != nil {
				done <- n
				return
			}
			c.Close()
			n++
		}
	}()
	for range 3 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close()
	}
	// Returns when the loop has been given all that connected.
	fmt.Println(ln.Shutdown(ctx), <-done)
	// Output: <nil> 3
}

func ExampleConfig() {
	config := socket.Config{Backlog: 128, KeepAliveIdle: 10 * time.Minute}
	ln, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ln.Addr().Network(), ln.Close())
	// Output: tcp <nil>
}

func ExampleConn_Wait() {
	ln := newPipeListener()
	srv := &socket.Server{Listener: ln, Handler: func(ctx context.Context, c *socket.Conn) {
		r := bufio.NewReader(c)
		for c.Wait(r) == nil { // nothing in hand here: a drain may end it
			line, err := r.ReadString('\n') // in the middle of a message: it does not
			if err != nil {
				return
			}
			io.WriteString(c, strings.ToUpper(line))
		}
		if c.Draining() {
			io.WriteString(c, "bye\n")
		}
	}}
	served := serve(context.Background(), srv)
	c := ln.dial()
	io.WriteString(c, "hello\n")
	r := bufio.NewReader(c)
	answer, _ := r.ReadString('\n')
	fmt.Print(answer)
	go srv.Shutdown(context.Background())
	answer, _ = r.ReadString('\n')
	fmt.Print(answer)
	fmt.Println(<-served)
	// Output:
	// HELLO
	// bye
	// <nil>
}

func ExampleServer() {
	ctx := context.Background()
	ln, err := socket.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := &socket.Server{
		Listener: ln,
		Handler: func(ctx context.Context, c *socket.Conn) {
			r := bufio.NewReader(c)
			for c.Wait(r) == nil {
				name, err := r.ReadString('\n')
				if err != nil {
					return
				}
				fmt.Fprintf(c, "hello, %s", name)
			}
		},
	}
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()

	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprintln(c, "world")
	answer, err := bufio.NewReader(c).ReadString('\n')
	fmt.Print(answer, err, "\n")
	c.Close()
	fmt.Println(srv.Shutdown(ctx), <-served)
	// Output:
	// hello, world
	// <nil>
	// <nil> <nil>
}
