// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Lines answers every line that it is sent with that line, over TCP or a unix socket. It shows that
// the runtime is not about HTTP.
//
//	lines --listen 127.0.0.1:8010 --workers 2
package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/daemon"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
)

const (
	name = "lines"

	// maxLine is the longest line that is answered.
	maxLine = 64 << 10

	// lineTimeout is for how long the rest of a line may take. Between lines a client may be silent.
	lineTimeout = time.Minute
)

func main() {
	daemon.Main(daemon.Program{
		Name:        name,
		Project:     name,
		Description: "Answers every line with that line.",
		Declare: func(conf *config.Config) error {
			if err := conf.Register("", daemon.ServerOptions{}); err != nil {
				return err
			}
			return conf.SetDefault("", "listen", "127.0.0.1:8010")
		},
		Validate: daemon.ValidateServer,
		Run:      run,
	})
}

// run is main of the launcher and of every worker process.
func run(ctx context.Context, d *daemon.Daemon) error {
	srv, err := service.Build(name, func(ctx context.Context) (service.Service, error) {
		network, address, err := socket.ParseAddress(config.Get[daemon.ServerOptions](d.Config, "").Listen)
		if err != nil {
			return nil, err
		}
		ln, err := socket.Listen(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &server{socket.Server{Listener: ln, Handler: answer}}, nil
	})
	if err != nil {
		return err
	}
	opts := d.Options()
	opts.Workers = config.Get[daemon.ServerOptions](d.Config, "").Workers
	return service.Launch(ctx, opts, srv)
}

// A server says where it serves.
type server struct{ socket.Server }

// Start logs the address beside starting.
func (s *server) Start(ctx context.Context) error {
	if err := s.Server.Start(ctx); err != nil {
		return err
	}
	slog.Info("serving", "address", s.Listener.Addr().String(), "pid", os.Getpid())
	return nil
}

// answer sends each line back. A drain ends it between two lines, never within one.
func answer(_ context.Context, c *socket.Conn) {
	r := bufio.NewReaderSize(c, maxLine)
	for c.Wait(r) == nil {
		c.SetReadDeadline(time.Now().Add(lineTimeout))
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			io.WriteString(c, "line too long\n")
		}
		if err != nil {
			return
		}
		if _, err := c.Write(line); err != nil {
			return
		}
		c.SetReadDeadline(time.Time{})
	}
}
