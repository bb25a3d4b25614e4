// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Hello is an HTTP server in this process or in worker processes.
//
//	hello --listen 127.0.0.1:8080 --workers 4
//
// It answers / with "hello, world", /pid with the process that serves, /slow?d=2s after that time,
// and /echo with the body that it is sent.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
	"github.com/mainstay-go/mainstay/web"
)

func main() { service.Exit(run(context.Background(), parseFlags(os.Args[1:]))) }

// run is main of the launcher, of every worker and of the probe of a reload.
func run(ctx context.Context, o options) error {
	if o.check {
		if done, err := service.Check(ctx, os.Stdout); done {
			return err
		}
	}
	method, err := service.ParseRestartMethod(o.restartMethod)
	if err != nil {
		return err
	}
	for _, name := range o.configFiles {
		if _, err := service.ReadFile(name); err != nil { // which also makes workers keep what it says now
			return fmt.Errorf("--config-file: %w", err)
		}
	}
	network, address, err := socket.ParseAddress(o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	ln, err := socket.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	api := &web.Server{Label: program, Listener: ln, Handler: handler(), CertFile: o.tlsCert, KeyFile: o.tlsKey}
	return service.Launch(ctx, service.Options{
		Name:            program,
		Workers:         o.workers,
		ShutdownTimeout: cmp.Or(time.Duration(o.shutdownTimeout), -1), // 0 waits without end
		RestartMethod:   method,
		Procs:           o.procs,
		Control:         o.control,
		ControlOptional: !o.controlAsked,
		Check:           o.check,
		Hooks:           []service.Hooks{{Ready: announce(ln, o.tlsCert != "")}},
	}, api)
}

// announce returns a hook that prints, once, where the first worker serves.
func announce(ln *socket.Listener, tls bool) func(service.Worker, int) {
	var once sync.Once
	return func(service.Worker, int) {
		once.Do(func() {
			switch addr := ln.Addr(); {
			case addr.Network() == "unix":
				fmt.Printf("serving on unix:%s\n", addr)
			case tls:
				fmt.Printf("serving on https://%s/\n", addr)
			default:
				fmt.Printf("serving on http://%s/\n", addr)
			}
		})
	}
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") })
	pid := strconv.Itoa(os.Getpid()) + "\n"
	mux.HandleFunc("/pid", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, pid) })
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/echo", echo)
	return mux
}

// echo answers with the body, while it still comes.
func echo(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).EnableFullDuplex() // else the body ends where the answer begins; HTTP/2 needs no leave
	io.Copy(w, r.Body)
}

// slow answers after the time d, unless the client goes before.
func slow(w http.ResponseWriter, r *http.Request) {
	var d seconds
	if err := d.Set(cmp.Or(r.FormValue("d"), "1s")); err != nil {
		http.Error(w, fmt.Sprintf("d: %q: %v", r.FormValue("d"), err), http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(time.Duration(d)):
		fmt.Fprintf(w, "slept %v\n", time.Duration(d))
	case <-r.Context().Done():
	}
}
