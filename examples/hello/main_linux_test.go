// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// mainEnv makes this program hello instead of its tests.
const mainEnv = "HELLO_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience bounds what must not hang.
const patience = time.Minute

// command returns hello with arguments, ready to start.
func command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// A server is hello, running.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	steer  *control.Client
	stderr bytes.Buffer
	url    string // as it prints it
	ended  chan struct{}
}

// start starts hello and waits until it says where it serves.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "hello") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{t: t, steer: control.NewClient(control.SocketPath(dir, program)), ended: make(chan struct{})}
	s.cmd = command(t, append([]string{"--state-path", dir}, args...)...)
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.ended
		if t.Failed() {
			t.Logf("standard error:\n%s", &s.stderr)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	go func() {
		s.cmd.Wait()
		close(s.ended)
	}()
	url, ok := strings.CutPrefix(line, "serving on ")
	if !ok {
		t.Fatalf("hello printed %q, %v", line, err)
	}
	s.url = strings.TrimSpace(url)
	return s
}

// stop sends TERM and returns the exit code; -1 stands for none.
func (s *server) stop() int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	select {
	case <-s.ended:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		s.t.Error("hello does not end")
		return -1
	}
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %s, %v", url, res.Status, err)
	}
	return string(body)
}

func TestHandler(t *testing.T) {
	for name, c := range map[string]struct {
		method, url, body string
		status            int
		want              string
	}{
		"hello":         {"GET", "/", "", 200, "hello, world\n"},
		"pid":           {"GET", "/pid", "", 200, strconv.Itoa(os.Getpid()) + "\n"},
		"echo":          {"POST", "/echo", "some body", 200, "some body"},
		"slow":          {"GET", "/slow?d=10ms", "", 200, "slept 10ms\n"},
		"slow, seconds": {"GET", "/slow?d=0", "", 200, "slept 0s\n"},
		"slow, wrong":   {"GET", "/slow?d=soon", "", 400, "d: \"soon\": want a duration of at least 0s, as 30s, 2m or in plain seconds\n"},
		"not there":     {"GET", "/other", "", 404, "404 page not found\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			handler().ServeHTTP(w, httptest.NewRequest(c.method, c.url, strings.NewReader(c.body)))
			if w.Code != c.status || w.Body.String() != c.want {
				t.Errorf("%s %s = %d %q, want %d %q", c.method, c.url, w.Code, w.Body, c.status, c.want)
			}
		})
	}
}

func TestHello(t *testing.T) {
	for _, workers := range []string{"0", "1", "2"} {
		t.Run(workers+" workers", func(t *testing.T) {
			s := start(t, "--listen", "127.0.0.1:0", "--workers", workers)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			if got := get(t, client, s.url); got != "hello, world\n" {
				t.Errorf("/ = %q", got)
			}
			inside := get(t, client, s.url+"pid") == strconv.Itoa(s.cmd.Process.Pid)+"\n"
			if want := workers != "2"; inside != want {
				t.Errorf("served in the process that was started: %t, want %t", inside, want)
			}
			if code := s.stop(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

func TestHelloOverUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := start(t, "--listen", "unix:"+path, "--workers", "2")
	if s.url != "unix:"+path {
		t.Errorf("serving on %s", s.url)
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
	}}
	if got := get(t, client, "http://hello/"); got != "hello, world\n" {
		t.Errorf("/ = %q", got)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// certificate writes a certificate for 127.0.0.1 and its key, and returns a client that trusts it.
func certificate(t *testing.T) (certFile, keyFile string, client *http.Client) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = errors.Join(os.WriteFile(certFile, certPEM, 0o600), os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

func TestHelloOverTLS(t *testing.T) {
	cert, key, client := certificate(t)
	s := start(t, "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--workers", "2")
	if got := get(t, client, s.url); !strings.HasPrefix(s.url, "https://") || got != "hello, world\n" {
		t.Errorf("%s = %q", s.url, got)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// Where the files break while it runs, a worker that is started anew has what the launcher read, and a
// reload is refused.
func TestCertificateBreaksWhileWorkersServe(t *testing.T) {
	cert, key, client := certificate(t)
	s := start(t, "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--workers", "2")
	if err := os.WriteFile(cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for deadline := time.Now().Add(patience); len(seen) < 2 && time.Now().Before(deadline); {
		seen[get(t, client, s.url+"pid")] = true
	}
	for text := range seen {
		pid, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil { // drains and is replaced
			t.Fatal(err)
		}
	}
	replaced := func() bool {
		return !seen[get(t, client, s.url+"pid")]
	}
	for deadline := time.Now().Add(patience); !replaced(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no new worker serves")
		}
	}
	if _, err := s.steer.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "cert_file "+cert+": not PEM") {
		t.Errorf("reload = %v, want it refused for the certificate", err)
	}
	if got := get(t, client, s.url); got != "hello, world\n" {
		t.Errorf("after the reload was refused: %q", got)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// A request that runs is finished in a stop, and cut, with an exit code that says so, at its end.
func TestStopWithRequest(t *testing.T) {
	for name, c := range map[string]struct {
		timeout string
		finish  bool // the client sends the rest of its request
		code    int
	}{
		"in time":  {"1m", true, 0},
		"too slow": {"1", false, 3},
		"endless":  {"0", true, 0},
	} {
		for _, workers := range []string{"1", "2"} {
			t.Run(name+", "+workers+" workers", func(t *testing.T) {
				s := start(t, "--listen", "127.0.0.1:0", "--workers", workers, "--shutdown-timeout", c.timeout)
				const half = 100_000 // enough to see some of the echo
				conn, err := net.Dial("tcp", s.host())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				fmt.Fprintf(conn, "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", 2*half, strings.Repeat("x", half))
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				first := make([]byte, 1)
				if _, err := io.ReadFull(res.Body, first); err != nil {
					t.Fatal(err)
				}
				code := make(chan int, 1)
				go func() { code <- s.stop() }()
				if c.finish {
					s.refuses()
					io.WriteString(conn, strings.Repeat("y", half))
				}
				rest, err := io.ReadAll(res.Body)
				if whole := err == nil && len(first)+len(rest) == 2*half; whole != c.finish {
					t.Errorf("the answer has %d bytes of %d, %v", len(first)+len(rest), 2*half, err)
				}
				if got := <-code; got != c.code {
					t.Errorf("exit code %d, want %d", got, c.code)
				}
			})
		}
	}
}

// host is the address to dial.
func (s *server) host() string { return strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/") }

// refuses waits until new clients are refused, which is when a stop has come some way.
func (s *server) refuses() {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", s.host(), patience)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			c.Close()
		}
		if time.Now().After(end) {
			s.t.Errorf("a new client during a stop: %v, want a refusal", err)
			return
		}
	}
}

// Clients post over kept-alive connections through reloads and a stop, and lose nothing.
func TestReloadsAndStopLoseNothing(t *testing.T) {
	for _, workers := range []string{"1", "2"} {
		t.Run(workers+" workers", func(t *testing.T) {
			s := start(t, "--listen", "127.0.0.1:0", "--workers", workers)
			var answers atomic.Int64
			var clients sync.WaitGroup
			for range 16 {
				clients.Go(func() {
					for {
						err := post(s.host(), &answers)
						if errors.Is(err, syscall.ECONNREFUSED) {
							return
						}
						if err != nil {
							t.Errorf("lost: %v", err)
							return
						}
					}
				})
			}
			for range 3 {
				before := answers.Load()
				if _, err := s.steer.Reload(t.Context()); err != nil {
					t.Error(err)
				}
				for end := time.Now().Add(patience); answers.Load() < before+300 && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
			}
			if code := s.stop(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			clients.Wait()
			if n := answers.Load(); n < 900 {
				t.Errorf("%d answers, want at least 900", n)
			}
		})
	}
}

// post dials and posts, one request after the other, until an answer closes the connection.
func post(addr string, answers *atomic.Int64) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(c)
	for n := 0; ; n++ {
		body := strings.Repeat("x", n%1000)
		if _, err := fmt.Fprintf(c, "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			return fmt.Errorf("request %d of a connection: %v", n, err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return fmt.Errorf("answer %d of a connection: %v", n, err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || string(got) != body {
			return fmt.Errorf("answer %d of a connection: %d bytes of %d, %v", n, len(got), len(body), err)
		}
		answers.Add(1)
		if res.Close {
			return nil
		}
	}
}

func TestMistakesAreOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an unknown flag":     {[]string{"--bogus"}, "bogus"},
		"an argument":         {[]string{"more"}, "argument more:"},
		"an address":          {[]string{"--listen", "nowhere"}, `"nowhere"`},
		"a port that is used": {[]string{"--listen", taken.Addr().String()}, taken.Addr().String()},
		"a duration":          {[]string{"--shutdown-timeout", "soon"}, "30s"},
		"a number of workers": {[]string{"--listen", "127.0.0.1:0", "--workers", "-1"}, `workers = "-1"`},
		"no number":           {[]string{"--workers", "many"}, `"many"`},
		"a restart method":    {[]string{"--restart-method", "hope"}, "hope"},
		"a directory":         {[]string{"--config-dir", "/no/such"}, "/no/such"},
		"a file":              {[]string{"--config-file", "/no/such.conf"}, "/no/such.conf"},
		"a certificate": {
			[]string{"--listen", "127.0.0.1:0", "--workers", "2", "--tls-cert", "/no/such.pem", "--tls-key", "/no/such.key"},
			"Unable to find cert_file : /no/such.pem; Unable to find key_file : /no/such.key",
		},
		"a certificate alone": {[]string{"--listen", "127.0.0.1:0", "--tls-cert", "/no/such.pem"}, "you must specify both a cert_file and key_file"},
		"a state path":        {[]string{"--listen", "127.0.0.1:0", "--state-path", "/proc/no"}, "/proc/no"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := command(t, c.args...).CombinedOutput()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.ExitCode() != 1 {
				t.Errorf("ended with %v, want exit code 1", err)
			}
			if s := string(out); !strings.Contains(s, c.want) || strings.Count(s, "\n") != 1 {
				t.Errorf("said %q, want one line with %q", s, c.want)
			}
		})
	}
}

func TestHelpVersionAndCheck(t *testing.T) {
	config := filepath.Join(t.TempDir(), "hello.conf")
	if err := os.WriteFile(config, []byte("[DEFAULT]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string][]string{
		"--help":    {"-listen", "-workers", "-state-path", "-restart-method", "--tls-cert", "--tls-key", "-ssl-cert-file", "-shutdown-timeout", "-procs", "-config-file", "-config-dir", "-check", "-version"},
		"--version": {"hello"},
		"--check":   {"2", "listen tcp 127.0.0.1:18080"},
	} {
		cmd := command(t, arg, "--listen", "127.0.0.1:18080", "--workers", "2", "--config-file", config, "--config-file", config, "--config-dir", filepath.Dir(config))
		if arg != "--check" {
			cmd = command(t, arg)
		}
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", arg, err)
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s printed %q, want %q in it", arg, out, w)
			}
		}
	}
}
