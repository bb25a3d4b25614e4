// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// How long a load lasts, and how often the server is reloaded under it: not before a reload is surely
// over on an idle machine.
const (
	loadSeconds = 4
	reloadEvery = 300 * time.Millisecond
)

// underReload runs a client while d is reloaded again and again, and holds that it was.
func underReload(t *testing.T, d *daemon, program string, args ...string) string {
	t.Helper()
	ended := make(chan struct{})
	var out string
	var err error
	go func() {
		defer close(ended)
		out, err = try(program, args...)
	}()
	reload := time.NewTicker(reloadEvery)
	defer reload.Stop()
	for running := true; running; {
		select {
		case <-reload.C:
			d.hangUp(t)
		case <-ended:
			running = false
		}
	}
	if err != nil {
		t.Fatalf("%s %s: %v: %s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	status, err := control.NewClient(d.socket()).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status.Generation < 3 {
		t.Errorf("generation %d after %d s of reloads, want more: the load saw none", status.Generation, loadSeconds)
	}
	return out
}

// failedRequests is ab's count, which includes answers of another length than the first.
var failedRequests = regexp.MustCompile(`(?m)^Failed requests: +(\d+)$`)

// complete is ab's count of answers.
var complete = regexp.MustCompile(`(?m)^Complete requests: +([1-9]\d*)$`)

// abArgs are the arguments of ab for so many clients: as many requests as there is time for.
func abArgs(clients int, more ...string) []string {
	return append([]string{"-q", "-t", fmt.Sprint(loadSeconds), "-n", "1000000", "-c", fmt.Sprint(clients)}, more...)
}

// checkAB holds that ab, whose output is given, counts answers of that length and nothing else.
func checkAB(t *testing.T, out string, length int) {
	t.Helper()
	failed := failedRequests.FindStringSubmatch(out)
	if failed == nil || failed[1] != "0" || strings.Contains(out, "Non-2xx") || !complete.MatchString(out) {
		t.Errorf("want answers and none failed:\n%s", out)
	}
	if want := fmt.Sprintf("Document Length:        %d bytes\n", length); !strings.Contains(out, want) {
		t.Errorf("want answers of %d bytes:\n%s", length, out)
	}
}

// posted is what the posts of a load have for a body.
var posted = bytes.Repeat([]byte("0123456789"), 500)

// TestABReload loads a server with ab, which speaks HTTP/1.0, while what serves is replaced.
func TestABReload(t *testing.T) {
	ab := need(t, "ab")
	body, greeting := write(t, folder(t), "body", posted), len("hello, world\n")
	for name, c := range map[string]struct {
		workers string
		path    string
		args    []string
		length  int // of each answer
	}{
		"kept alive":                    {"2", "/", []string{"-k"}, greeting},
		"fresh connections":             {"2", "/", nil, greeting},
		"posts, kept alive":             {"2", "/echo", []string{"-k", "-p", body, "-T", "application/octet-stream"}, len(posted)},
		"in process, kept alive":        {"1", "/", []string{"-k"}, greeting},
		"in process, fresh connections": {"1", "/", nil, greeting},
	} {
		t.Run(name, func(t *testing.T) {
			d := startHello(t, "--workers", c.workers)
			checkAB(t, underReload(t, d, ab, append(abArgs(32, c.args...), d.url(c.path))...), c.length)
			d.terminate(t)
		})
	}
}

// TestWrkReload loads a server with wrk, which keeps HTTP/1.1 connections, while its workers are
// replaced.
func TestWrkReload(t *testing.T) {
	wrk := need(t, "wrk")
	d := startHello(t, "--workers", "2")
	out := underReload(t, d, wrk, "-t", "1", "-c", "32", "-d", fmt.Sprint(loadSeconds, "s"), d.url("/"))
	if strings.Contains(out, "Socket errors") || strings.Contains(out, "Non-2xx") || !strings.Contains(out, "requests in") {
		t.Errorf("want answers and no errors:\n%s", out)
	}
	d.terminate(t)
}

// nginxConf is nginx as a proxy that keeps connections to what is behind it, and tries no request
// twice: what is lost there is an error here.
const nginxConf = `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	upstream hello { server %s; keepalive 32; }
	server {
		listen %s;
		location / {
			proxy_pass http://hello;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_next_upstream off;
		}
	}
}
`

// TestNginxReload reloads a server behind nginx, which keeps idle connections of its own to it.
func TestNginxReload(t *testing.T) {
	ab, nginx := need(t, "ab"), need(t, "nginx")
	d := startHello(t, "--workers", "2")
	addr, dir := freeAddr(t), folder(t)
	conf := write(t, dir, "nginx.conf", fmt.Appendf(nil, nginxConf, d.addr, addr))
	proxy := start(t, exec.Command(nginx, "-p", dir, "-c", conf))
	if err := proxy.AwaitAccept("tcp", addr, patience); err != nil {
		t.Fatal(err)
	}
	body := write(t, dir, "posted", posted)
	out := underReload(t, d, ab, append(abArgs(16, "-k", "-p", body, "-T", "application/octet-stream"), "http://"+addr+"/echo")...)
	checkAB(t, out, len(posted))
	d.terminate(t)
}
