// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Command bare is what mainstay is measured against: net/http with nothing around it, or with
// -shutdown what many programs have around it: http.Server.Shutdown at TERM.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"net/http"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	body := flag.String("body", "hello, world\n", "answer to every request")
	shutdown := flag.Bool("shutdown", false, "end by Shutdown at TERM")
	flag.Parse()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, *body) })
	if !*shutdown {
		log.Fatal(http.ListenAndServe(*listen, nil))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: *listen}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		log.Fatal(err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
