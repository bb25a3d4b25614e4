// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/web"
)

// A client that takes nothing of its answer does not hold the handler for ever.
func TestWS15ClientTakesNothing(t *testing.T) {
	ln, failed := listen(t), make(chan error, 1)
	start(t, &web.Server{Listener: ln, ClientSocketTimeout: 500 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				failed <- err
				return
			}
		}
	})})
	conn := dial(t, "tcp", ln.Addr().String())
	conn.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	select {
	case err := <-failed:
		t.Logf("the handler got: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the handler still writes")
	}
}
