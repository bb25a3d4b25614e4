// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/tlsfiles"
	"github.com/mainstay-go/mainstay/web"
)

// benchServers starts a web.Server with files and a bare http.Server with the same certificate, and has
// each do some work in turn, an iteration once each. It reports how much each does in a second, and the
// median of the ratios of web to bare.
func benchServers(b *testing.B, unit string, work func(b *testing.B, addr string) (n int)) {
	o := files(b, issue(request{key: ecKey()}))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") })
	listen := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		return ln
	}
	bareLn, webLn := listen(), listen()
	bare := &http.Server{Handler: handler}
	go bare.ServeTLS(bareLn, o.CertFile, o.KeyFile)
	defer bare.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tls := tlsfiles.Options{CertFile: o.CertFile, KeyFile: o.KeyFile, Logger: o.Logger}
		(&web.Server{Listener: webLn, Handler: handler, TLS: &tls, Logger: o.Logger}).Serve(b.Context())
	}()
	defer func() { webLn.Close(); <-done }()

	rate := func(addr string) float64 {
		begun := time.Now()
		return float64(work(b, addr)) / time.Since(begun).Seconds()
	}
	order := []string{bareLn.Addr().String(), webLn.Addr().String()}
	for _, addr := range order {
		work(b, addr) // warms up
	}
	var ratios []float64
	sum := map[string]float64{}
	for b.Loop() {
		rates := map[string]float64{}
		for _, addr := range order {
			rates[addr] = rate(addr)
			sum[addr] += rates[addr]
		}
		ratios = append(ratios, rates[webLn.Addr().String()]/rates[bareLn.Addr().String()])
		slices.Reverse(order)
	}
	slices.Sort(ratios)
	b.ReportMetric(sum[bareLn.Addr().String()]/float64(len(ratios)), "bare-"+unit+"/s")
	b.ReportMetric(sum[webLn.Addr().String()]/float64(len(ratios)), "web-"+unit+"/s")
	b.ReportMetric(ratios[len(ratios)/2], "web/bare")
}

// BenchmarkHandshake is full handshakes of TLS 1.3, each on a new connection, one after the other.
func BenchmarkHandshake(b *testing.B) {
	benchServers(b, "handshakes", func(b *testing.B, addr string) int {
		const n = 20
		for range n {
			conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				b.Fatal(err)
			}
			// To its end: the server's part is done when its tickets are here and it has seen the close.
			conn.CloseWrite()
			io.Copy(io.Discard, conn)
			conn.Close()
		}
		return n
	})
}

// BenchmarkHTTP2 is requests of HTTP/2, 16 at a time on one connection to each server.
func BenchmarkHTTP2(b *testing.B) {
	p := new(http.Protocols)
	p.SetHTTP2(true)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: p}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	benchServers(b, "requests", func(b *testing.B, addr string) int {
		const clients, each = 16, 25
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for range each {
					res, err := client.Get("https://" + addr)
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			})
		}
		wg.Wait()
		return clients * each
	})
}
