// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Hello is an HTTP server in this process or in worker processes.
//
//	hello --listen 127.0.0.1:8080 --workers 4
//
// It answers / with "hello, world", /pid with the process that serves, /slow?d=2s after that time,
// and /echo with the body that it is sent. Its options may stand in a file as well: "hello config
// sample" writes one.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/daemon"
	"github.com/mainstay-go/mainstay/logging"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
	"github.com/mainstay-go/mainstay/tlsfiles"
	"github.com/mainstay-go/mainstay/web"
)

const program = "hello"

func main() {
	daemon.Main(daemon.Program{
		Name:        program,
		Project:     program,
		Description: "An HTTP server in this process or in worker processes.",
		Declare:     declare,
		Validate:    validate,
		Run:         run,
	})
}

func declare(conf *config.Config) error {
	for _, options := range []any{daemon.ServerOptions{}, web.Options{}} {
		if err := conf.Register("", options); err != nil {
			return err
		}
	}
	return conf.Register("ssl", web.SSLOptions{})
}

func validate(s *config.Snapshot) error {
	err := daemon.ValidateServer(s)
	if wrong := config.Get[web.Options](s, "").Validate(); wrong != nil {
		err = errors.Join(err, s.Refuse("", "wsgi_log_format", wrong.Error()))
	}
	return err
}

// run is main of the launcher, of every worker and of the probe of a reload.
func run(ctx context.Context, d *daemon.Daemon) error {
	var first *socket.Listener // of the first server, which is the one to announce
	api, err := service.Build(program, func(ctx context.Context) (service.Service, error) {
		server, ln, err := newServer(ctx, d)
		first = cmp.Or(first, ln)
		return server, err
	})
	if err != nil {
		return err
	}
	opts := d.Options()
	opts.Workers = config.Get[daemon.ServerOptions](d.Config, "").Workers
	tls := tlsfiles.Options(config.Get[web.SSLOptions](d.Config, "ssl")).Enabled()
	opts.Hooks = []service.Hooks{{Ready: announce(first, tls)}}
	return service.Launch(ctx, opts, api)
}

// newServer makes the server that the configuration asks for.
func newServer(ctx context.Context, d *daemon.Daemon) (*web.Server, *socket.Listener, error) {
	conf := d.Config.Snapshot()
	network, address, err := socket.ParseAddress(config.Get[daemon.ServerOptions](conf, "").Listen)
	if err != nil {
		return nil, nil, err
	}
	options := config.Get[web.Options](conf, "")
	ln, err := options.Socket().Listen(ctx, network, address)
	if err != nil {
		return nil, nil, err
	}
	server := &web.Server{Label: program, Listener: ln, Handler: handler()}
	options.Apply(server)
	ssl := config.Get[web.SSLOptions](conf, "ssl")
	ssl.ReadFile = service.ReadFile
	ssl.Apply(server)
	if server.TLS != nil { // here, where the launcher does it too: what is broken now is no matter of workers
		if _, err := server.TLS.Check(); err != nil {
			return nil, nil, err
		}
	}
	if config.Get[logging.Options](conf, "").Debug { // else there is no line for a request
		server.AccessLog = d.Logger
	}
	return server, ln, nil
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
	kind := config.Duration{Min: new(time.Duration)} // as durations are written in a configuration file
	value, err := kind.Parse(cmp.Or(r.FormValue("d"), "1s"))
	if err != nil {
		http.Error(w, fmt.Sprintf("d: %q: want %s", r.FormValue("d"), kind.Want()), http.StatusBadRequest)
		return
	}
	d, _ := value.(time.Duration)
	select {
	case <-time.After(d):
		fmt.Fprintf(w, "slept %v\n", d)
	case <-r.Context().Done():
	}
}
