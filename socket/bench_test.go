// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"net"
	"testing"

	"github.com/mainstay-go/mainstay/socket"
)

// BenchmarkAccept compares accepting with package net's. The dial, which is the greater part, is in
// all of them.
func BenchmarkAccept(b *testing.B) {
	for name, listen := range map[string]func() (net.Listener, error){
		"net": func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
		"net without multipath": func() (net.Listener, error) {
			var lc net.ListenConfig
			lc.SetMultipathTCP(false)
			return lc.Listen(b.Context(), "tcp", "127.0.0.1:0")
		},
		"socket": func() (net.Listener, error) { return socket.Listen(b.Context(), "tcp", "127.0.0.1:0") },
	} {
		b.Run(name, func(b *testing.B) {
			ln, err := listen()
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			b.ReportAllocs()
			for b.Loop() {
				client, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				server, err := ln.Accept()
				if err != nil {
					b.Fatal(err)
				}
				// A reset, so that no port is left waiting.
				client.(*net.TCPConn).SetLinger(0)
				client.Close()
				server.Close()
			}
		})
	}
}
