// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/mainstay-go/mainstay/tlsfiles"
	"github.com/mainstay-go/mainstay/web"
)

// benchServers starts a web.Server with files and a bare http.Server with the same certificate, and runs
// f with the address of each: the ratio of the two is what counts.
func benchServers(b *testing.B, f func(b *testing.B, addr string)) {
	o := files(b, issue(request{key: ecKey()}))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") })
	for name, serve := range map[string]func(ln net.Listener) func(){
		"bare": func(ln net.Listener) func() {
			hs := &http.Server{Handler: handler}
			go hs.ServeTLS(ln, o.CertFile, o.KeyFile)
			return func() { hs.Close() }
		},
		"web": func(ln net.Listener) func() {
			done := make(chan struct{})
			go func() {
				defer close(done)
				(&web.Server{Listener: ln, Handler: handler, TLS: &tlsfiles.Options{CertFile: o.CertFile, KeyFile: o.KeyFile, Logger: o.Logger}, Logger: o.Logger}).Serve(b.Context())
			}()
			return func() { ln.Close(); <-done }
		},
	} {
		b.Run(name, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			stop := serve(ln)
			f(b, ln.Addr().String())
			b.StopTimer()
			stop()
		})
	}
}

// BenchmarkHandshake is one full handshake of TLS 1.3 with a new connection.
func BenchmarkHandshake(b *testing.B) {
	benchServers(b, func(b *testing.B, addr string) {
		for b.Loop() {
			conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				b.Fatal(err)
			}
			conn.Close()
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
	})
}

// BenchmarkHTTP2 is one request of HTTP/2, of many at a time on one connection.
func BenchmarkHTTP2(b *testing.B) {
	benchServers(b, func(b *testing.B, addr string) {
		p := new(http.Protocols)
		p.SetHTTP2(true)
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: p}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				res, err := client.Get("https://" + addr)
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	})
}
