// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package mainstay is the map of a service runtime for daemons: it starts a program's services, runs
them in this process or in supervised worker processes, and keeps them running through signals,
reloads, crashes and changes of size. The packages are below; this one has no code.

Begin with [github.com/mainstay-go/mainstay/service]. A Service is anything with

	Serve(ctx context.Context) error

and may have Start, Shutdown, Reset, Check and Name besides, which are found by assertion. Launch runs
services until they are told to stop:

	err := service.Launch(ctx, service.Options{Workers: 4}, api, lines)

With one worker they run here; with more this program is started again for each of them, main runs up
to Launch there too, and Launch decides what a process is. So constructors stay cheap, and heavy work
belongs in Start.

# Packages

A program needs those that it uses and no others: packages meet by the shape of their types.

  - [github.com/mainstay-go/mainstay/service]: Service, Group and Set; Launch, ServiceLauncher and
    ProcessLauncher; signals, reload, graceful shutdown, exit codes
  - [github.com/mainstay-go/mainstay/socket]: listeners that can be handed to workers: bound here,
    inherited or passed by systemd; the draining of any accept loop
  - [github.com/mainstay-go/mainstay/web]: an HTTP and TLS server as a service
  - [github.com/mainstay-go/mainstay/config]: options from files, environment and command line, as
    oslo.config reads them
  - [github.com/mainstay-go/mainstay/logging]: log/slog with oslo.log's options, lines and outputs
  - [github.com/mainstay-go/mainstay/daemon]: command line, configuration and log of a program, by one call
  - [github.com/mainstay-go/mainstay/tlsfiles]: TLS from certificate files, followed when they change
  - [github.com/mainstay-go/mainstay/paste], [github.com/mainstay-go/mainstay/urlmap] and
    [github.com/mainstay-go/mainstay/route]: paste files, Paste's URL map and Routes, as http.Handlers
  - [github.com/mainstay-go/mainstay/middleware]: the filters of nova's and neutron's pipelines
  - [github.com/mainstay-go/mainstay/proxyproto]: the PROXY protocol around a listener
  - [github.com/mainstay-go/mainstay/looping]: calls again and again: Every, Dynamic, Backoff, Retry
  - [github.com/mainstay-go/mainstay/periodic]: periodic tasks as a service: intervals, calendars, once per
    worker, host or cluster
  - [github.com/mainstay-go/mainstay/workgroup]: goroutines and timers that stop together, as a service
  - [github.com/mainstay-go/mainstay/systemd]: readiness, status and reload messages; passed sockets
  - [github.com/mainstay-go/mainstay/control]: the control socket of a launcher and its client
  - [github.com/mainstay-go/mainstay/prove]: a load generator that judges HTTP servers by what they lose
  - [github.com/mainstay-go/mainstay/servicetest]: the kit for people who test services

The programs are cmd/mainstay, which runs and steers a supervised HTTP service, and the examples hello
and lines. Which package may import which is held by imports_test.go.

# Where a question is answered

What a signal does, what each exit code means, what a reload keeps: the package comment of service.
When a listener stops accepting and who owns its queue: that of socket. Which limits and deadlines an
HTTP server has: the fields of web.Server. How fast it is beside its peers: make bench.
*/
package mainstay
