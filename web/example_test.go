// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/mainstay-go/mainstay/web"
)

func Example() {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // socket.Listen in programs with workers
	if err != nil {
		fmt.Println(err)
		return
	}
	api := &web.Server{
		Listener: ln,
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world") }),
	}
	served := make(chan error)
	go func() { served <- api.Serve(context.Background()) }()

	res, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	fmt.Println(res.Status, string(body))

	http.DefaultClient.CloseIdleConnections() // or the drain waits a second for them
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(api.Shutdown(ctx), <-served)
	// Output:
	// 200 OK hello, world
	// <nil> <nil>
}

// An endless answer ends when the server drains, or the drain would have to cut it.
func ExampleDraining() {
	events := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: welcome\n\n")
		http.NewResponseController(w).Flush()
		select {
		case <-web.Draining(r.Context()):
			io.WriteString(w, "event: goodbye\n\n")
		case <-r.Context().Done():
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	api := &web.Server{Listener: ln, Handler: http.HandlerFunc(events)}
	go api.Serve(context.Background())

	res, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	go api.Shutdown(context.Background())
	body, err := io.ReadAll(res.Body)
	fmt.Printf("%q %v\n", body, err)
	// Output: "data: welcome\n\nevent: goodbye\n\n" <nil>
}
