// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/prove"
)

// serve serves hello, world and an echo, and returns the address.
func serve(t *testing.T, ln net.Listener) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") })
	mux.Handle("POST /echo", new(prove.Echo))
	server := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(ln)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// run runs a load and checks what holds for every report.
func run(t *testing.T, l prove.Load) prove.Report {
	t.Helper()
	r, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != r.Answered+r.Failed+r.Refused {
		t.Errorf("%d requests, but %d answered, %d failed and %d refused", r.Requests, r.Answered, r.Failed, r.Refused)
	}
	if r.Latency.Count != r.Answered {
		t.Errorf("%d latencies of %d answers", r.Latency.Count, r.Answered)
	}
	return r
}

// A server that does nothing wrong is found to do nothing wrong, in every shape.
func TestGoodServer(t *testing.T) {
	ln := listen(t)
	serve(t, ln)
	for _, shape := range prove.AllShapes(true) {
		t.Run(string(shape), func(t *testing.T) {
			r := run(t, prove.Load{
				Target: "http://" + ln.Addr().String() + "/", Echo: "/echo", Shapes: []prove.Shape{shape},
				Clients: 8, Fresh: 2, Pause: time.Millisecond, Requests: 200,
			})
			for _, line := range r.Judge(prove.Limits{Answers: 200}) {
				t.Error(line)
			}
			if r.Reconnects > 0 {
				t.Errorf("%d reconnects, want none of a server that closes nothing", r.Reconnects)
			}
		})
	}
}
