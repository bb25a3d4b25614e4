// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package interop_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/peer"
	"github.com/mainstay-go/mainstay/internal/selfsigned"
)

// curl returns a function that runs curl quietly, with errors as exit status and message.
func curl(t *testing.T) func(args ...string) string {
	t.Helper()
	path := need(t, "curl")
	return func(args ...string) string {
		t.Helper()
		return run(t, path, append([]string{"--silent", "--show-error", "--fail"}, args...)...)
	}
}

func TestCurl(t *testing.T) {
	for name, args := range map[string][]string{
		"in process":      {"--workers", "1"},
		"with 2 workers":  {"--workers", "2"},
		"with 2, procs 1": {"--workers", "2", "--procs", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			get := curl(t)
			d := startHello(t, args...)
			if got := strings.TrimSpace(get(d.url("/"))); got != "hello, world" {
				t.Errorf("/ answers %q, want hello, world", got)
			}
			if got := get("--http1.0", "--output", "/dev/null", "--write-out", "%{http_code}", d.url("/")); got != "200" {
				t.Errorf("HTTP/1.0: status %s, want 200", got)
			}
			if got := get("--head", d.url("/")); !strings.HasPrefix(got, "HTTP/1.1 200") {
				t.Errorf("HEAD / answers %q, want status 200", got)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(get(d.url("/pid"))))
			if want := append(peer.Children(d.Pid()), d.Pid()); err != nil || !slices.Contains(want, pid) {
				t.Errorf("/pid answers %d, %v, want one of %v", pid, err, want)
			}
			took, err := strconv.ParseFloat(get("--output", "/dev/null", "--write-out", "%{time_total}", d.url("/slow?d=200ms")), 64)
			if err != nil || took < 0.2 {
				t.Errorf("/slow?d=200ms took %v s, %v", took, err)
			}
			// Both on one connection: the second needs none of its own.
			got := get("--output", "/dev/null", "--output", "/dev/null", "--write-out", "%{num_connects} ", d.url("/"), d.url("/"))
			if got != "1 0 " {
				t.Errorf("connections made for two requests: %q, want one for the first", got)
			}
			d.terminate(t)
		})
	}
}

// TestCurlUploads posts a body that waits for 100 Continue, whole and in chunks.
func TestCurlUploads(t *testing.T) {
	get := curl(t)
	d := startHello(t, "--workers", "2")
	body := make([]byte, 3<<20)
	rand.Read(body)
	dir := folder(t)
	file := write(t, dir, "body", body)
	for name, args := range map[string][]string{
		"with a length": {"--data-binary", "@" + file},
		"in chunks":     {"--data-binary", "@" + file, "--header", "Transfer-Encoding: chunked"},
		"after asking":  {"--data-binary", "@" + file, "--header", "Expect: 100-continue", "--expect100-timeout", "20"},
	} {
		t.Run(name, func(t *testing.T) {
			back := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			get(append(args, "--header", "Content-Type: application/octet-stream", "--output", back, d.url("/echo"))...)
			if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, body) {
				t.Errorf("/echo gave %d bytes back, %v, want the %d that were posted", len(got), err, len(body))
			}
		})
	}
}

func TestCurlUnixSockets(t *testing.T) {
	path := filepath.Join(folder(t), "hello.socket")
	abstract := fmt.Sprintf("mainstay-interop-%d", os.Getpid())
	for name, c := range map[string]struct{ listen, flag, value string }{
		"a path":   {"unix:" + path, "--unix-socket", path},
		"abstract": {"unix:@" + abstract, "--abstract-unix-socket", abstract},
	} {
		t.Run(name, func(t *testing.T) {
			get := curl(t)
			d := startHelloOn(t, c.listen, "--workers", "2")
			if err := d.AwaitAccept("unix", strings.TrimPrefix(c.listen, "unix:"), patience); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(get(c.flag, c.value, "http://hello/")); got != "hello, world" {
				t.Errorf("/ answers %q, want hello, world", got)
			}
			d.terminate(t)
		})
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket file is left behind: %v", err)
	}
}

func TestCurlIPv6(t *testing.T) {
	get := curl(t)
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 on this machine: %v", err)
	}
	addr := ln.Addr().String()
	ln.Close()
	d := startHelloOn(t, addr, "--workers", "2")
	if err := d.AwaitAccept("tcp", addr, patience); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(get("-g", d.url("/"))); got != "hello, world" {
		t.Errorf("/ answers %q, want hello, world", got)
	}
}

func TestCurlTLS(t *testing.T) {
	get := curl(t)
	cert, key := certificate(t)
	d := startHello(t, "--workers", "2", "--tls-cert", cert, "--tls-key", key)
	for version, flag := range map[string]string{"1.1": "--http1.1", "2": "--http2"} {
		got := get("--cacert", cert, flag, "--write-out", "%{http_version}", "https://"+d.addr+"/")
		if want := "hello, world"; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, version) {
			t.Errorf("%s: %q, want %q and HTTP/%s", flag, got, want, version)
		}
	}
	d.terminate(t)
}

// TestCurlControl steers a program through its control socket with nothing but curl.
func TestCurlControl(t *testing.T) {
	get := curl(t)
	d := startHello(t, "--workers", "2")
	ask := func(v any, args ...string) {
		t.Helper()
		out := get(append([]string{"--unix-socket", d.socket()}, args...)...)
		if err := json.Unmarshal([]byte(out), v); err != nil {
			t.Fatalf("%v answers %q: %v", args, out, err)
		}
	}
	running := func(n int) (pids []int) {
		t.Helper()
		await(t, fmt.Sprint(n, " running workers"), func() bool {
			var status control.Status
			ask(&status, "http://mainstay/v1/status")
			if status.Pid != d.Pid() || status.Program != "hello" || len(status.Sets) != 1 {
				t.Fatalf("status = %+v, want that of hello, pid %d, with one set", status, d.Pid())
			}
			pids = nil
			for _, w := range status.Sets[0].Slots {
				if w.State == "running" {
					pids = append(pids, w.Pid)
				}
			}
			return len(pids) == n
		})
		return pids
	}

	before := running(2)
	var outcome control.Outcome
	ask(&outcome, "--request", "POST", "http://mainstay/v1/reload")
	if outcome.Error != "" || outcome.Generation != 2 {
		t.Errorf("reload: %+v, want generation 2", outcome)
	}
	for _, pid := range running(2) {
		if slices.Contains(before, pid) {
			t.Errorf("worker %d is still there after the reload", pid)
		}
	}
	ask(&outcome, "--json", `{"workers": 3}`, "http://mainstay/v1/scale")
	running(3)
	ask(&outcome, "--request", "POST", "http://mainstay/v1/stop")
	select {
	case <-d.Done():
	case <-time.After(patience):
		t.Fatalf("still there %v after stop", patience)
	}
	if got := d.ExitCode(); got != 0 {
		t.Errorf("exit status %d after stop, want 0", got)
	}
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	p, err := selfsigned.Write(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	return p.CertFile, p.KeyFile
}
