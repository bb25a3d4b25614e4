// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"syscall"
)

// A row is a group of lines of the table that are measured together.
type row struct {
	name  string
	about string
	run   func(ctx context.Context, b *bench) ([]result, error)
}

// The rows, in the order they are run. The figures that promises hang on are here and nowhere else.
var rows = []row{
	{"noise", "two bare servers, for what a ratio can tell", compare(bare, bare, nil)},
	{"inprocess", "hello in process beside a bare server", compare(inProcess, bare, map[string]goal{
		throughput.name: {atLeast: 0.97},
		cost.name:       {atMost: 1.03},
	})},
	{"slots", "hello with 2 workers beside a bare server", compare(twoWorkers, bare, map[string]goal{
		throughput.name: {atLeast: 1.0},
		tail.name:       {atMost: 1.5},
	})},
	{"slots-1", "hello with 2 workers of GOMAXPROCS 1 beside a bare server of GOMAXPROCS 2", compare(twoWorkers1, bare2, map[string]goal{
		throughput.name: {atLeast: 1.15},
		tail.name:       {atMost: 1.0},
	})},
	{"fair", "how evenly connections are dealt out to 4 workers", fairRow},
	{"pipeline", "a stock nova pipeline of eight filters beside its application alone", compare(pipeline, application, map[string]goal{
		throughput.name: {atLeast: 0.85},
	})},
	{"pipeline-log", "the same, and request_log writes a file", compare(pipelineLog, application, nil)},
	{"nginx", "hello with 2 workers beside nginx with 2", compare(twoWorkers, nginx, nil)},
	{"gunicorn", "hello with 2 workers beside gunicorn with 2", compare(twoWorkers, gunicorn, nil)},
	{"oslo", "hello with 2 workers beside oslo.service's WSGI server with 2", compare(twoWorkers, oslo, nil)},
	{"reload-latency", "latency in reloads of hello at half load", reloadLatencyRow(twoWorkers, syscall.SIGHUP, true)},
	{"reload-latency-nginx", "latency in reloads of nginx at half load", reloadLatencyRow(nginx, syscall.SIGHUP, false)},
	{"roll", "reload of 2 idle workers, beside nginx", rollRow},
	{"loss", "what reloads and stops of hello lose", lossRow(twoWorkers, syscall.SIGHUP, syscall.SIGTERM)},
	{"loss-shutdown", "what http.Server.Shutdown loses", lossRow(withShutdown, 0, syscall.SIGTERM)},
	{"loss-nginx", "what reloads and stops of nginx lose", lossRow(nginx, syscall.SIGHUP, syscall.SIGQUIT)},
	{"loss-haproxy", "what reloads and stops of HAProxy lose", lossRow(haproxy, syscall.SIGUSR2, syscall.SIGUSR1)},
	{"loss-gunicorn", "what reloads and stops of gunicorn lose", lossRow(gunicorn, syscall.SIGHUP, syscall.SIGTERM)},
	{"loss-oslo", "what reloads and stops of oslo.service lose", lossRow(oslo, syscall.SIGHUP, syscall.SIGTERM)},
	{"start", "start to first answer", startRow},
	{"stop", "TERM to exit, idle", stopRow},
	{"kill", "a worker killed to its replacement ready", killRow},
	{"memory", "memory of an idle worker", memoryRow},
	{"idle", "CPU of an idle launcher", idleRow},
	{"config", "reading nova.conf", configRow},
	{"logging", "a log line beside slog's handlers", loggingRow},
	{"timers", "100,000 timed calls, each way in a process of its own", timersRow},
}
