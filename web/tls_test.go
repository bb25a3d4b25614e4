// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/internal/selfsigned"
	"github.com/mainstay-go/mainstay/web"
)

// certificate writes a certificate for 127.0.0.1 with its key, and returns who trusts it.
func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	p, err := selfsigned.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return p.CertFile, p.KeyFile, p.Roots
}

// httpClient returns a client of net/http that trusts roots, for the length of a test. It speaks the
// protocols given; none is HTTP/1.
func httpClient(t *testing.T, roots *x509.CertPool, protocols ...func(*http.Protocols, bool)) *http.Client {
	p := new(http.Protocols)
	if len(protocols) == 0 {
		p.SetHTTP1(true)
	}
	for _, set := range protocols {
		set(p, true)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: p}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func fetch(c *http.Client, url string) (proto, body string, err error) {
	res, err := c.Get(url)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.Proto, string(b), err
}

func TestWS17TLS(t *testing.T) {
	noLeaks(t)
	certFile, keyFile, roots := certificate(t)
	ln := listen(t)
	start(t, &web.Server{Listener: ln, Handler: hello, CertFile: certFile, KeyFile: keyFile})
	for want, client := range map[string]*http.Client{
		"HTTP/1.1": httpClient(t, roots),
		"HTTP/2.0": httpClient(t, roots, (*http.Protocols).SetHTTP2),
	} {
		for range 2 {
			proto, body, err := fetch(client, "https://"+ln.Addr().String())
			if proto != want || body != "hello, world\n" || err != nil {
				t.Errorf("over TLS: %s %q, %v, want %s", proto, body, err, want)
			}
		}
	}
	if _, _, err := fetch(httpClient(t, nil), "https://"+ln.Addr().String()); err == nil {
		t.Error("a client that does not trust the certificate was served")
	}
}

func TestWS18TLSBesidePlain(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	secure, plain := listen(t), listen(t)
	start(t, &web.Server{Listener: secure, Handler: hello, CertFile: certFile, KeyFile: keyFile})
	start(t, &web.Server{Listener: plain, Handler: hello})
	client := httpClient(t, roots)
	for _, url := range []string{"https://" + secure.Addr().String(), "http://" + plain.Addr().String()} {
		if _, body, err := fetch(client, url); body != "hello, world\n" || err != nil {
			t.Errorf("%s: %q, %v", url, body, err)
		}
	}
}

func TestTLSByConfigure(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	start(t, &web.Server{Listener: ln, Handler: hello, Configure: func(hs *http.Server) {
		hs.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	}})
	if proto, _, err := fetch(httpClient(t, roots, (*http.Protocols).SetHTTP1, (*http.Protocols).SetHTTP2), "https://"+ln.Addr().String()); proto != "HTTP/1.1" || err != nil {
		t.Errorf("with a TLSConfig for HTTP/1.1 only: %s, %v", proto, err)
	}
}

func TestTLSFiles(t *testing.T) {
	certFile, keyFile, _ := certificate(t)
	otherCert, otherKey, _ := certificate(t)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for name, c := range map[string]struct{ cert, key, want string }{
		"both":                     {certFile, keyFile, ""},
		"certificate alone":        {certFile, "", "you must specify both a cert_file and key_file"},
		"key alone":                {"", keyFile, "you must specify both a cert_file and key_file"},
		"certificate is not there": {missing, keyFile, "Unable to find cert_file : " + missing},
		"key is not there":         {certFile, missing, "Unable to find key_file : " + missing},
		"of different pairs":       {otherCert, keyFile, otherCert},
		"exchanged":                {otherKey, otherCert, "cert_file " + otherKey},
	} {
		s := &web.Server{Listener: listen(t), CertFile: c.cert, KeyFile: c.key}
		for op, err := range map[string]error{"Start": s.Start(t.Context()), "Check": s.Check(t.Context())} {
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%s: %s = %v, want one line with %q", name, op, err, c.want)
			}
		}
	}
}

// A drain tells HTTP/2 clients at once to go away, whatever the grace, and finishes their requests.
func TestDrainHTTP2(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	for scheme, protocol := range map[string]func(*http.Protocols, bool){
		"https": (*http.Protocols).SetHTTP2,
		"http":  (*http.Protocols).SetUnencryptedHTTP2,
	} {
		t.Run(scheme, func(t *testing.T) {
			noLeaks(t)
			ln, g := listen(t), newGate()
			var closed atomic.Int32
			s := &web.Server{
				Listener:   ln,
				DrainGrace: time.Hour,
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/slow" {
						g.ServeHTTP(w, r)
					}
				}),
				Configure: func(hs *http.Server) {
					hs.Protocols = new(http.Protocols)
					hs.Protocols.SetHTTP1(true)
					protocol(hs.Protocols, true)
					hs.ConnState = func(_ net.Conn, s http.ConnState) {
						if s == http.StateClosed {
							closed.Add(1)
						}
					}
				},
			}
			if scheme == "https" {
				s.CertFile, s.KeyFile = certFile, keyFile
			}
			r := start(t, s)
			url := scheme + "://" + ln.Addr().String()
			if _, _, err := fetch(httpClient(t, roots, protocol), url+"/"); err != nil {
				t.Fatal(err)
			}
			type result struct {
				proto, body string
				err         error
			}
			slow := make(chan result, 1)
			go func() {
				proto, body, err := fetch(httpClient(t, roots, protocol), url+"/slow")
				slow <- result{proto, body, err}
			}()
			if !eventually(func() bool { return len(g.handled()) == 1 }) {
				t.Fatal("the slow request did not arrive")
			}

			drained := make(chan error, 1)
			go func() { drained <- r.shutdown(drain.Stop, time.Minute) }()
			if !eventually(func() bool { return closed.Load() == 1 }) {
				t.Fatal("the idle connection is still open")
			}
			select {
			case err := <-drained:
				t.Fatalf("Shutdown = %v while a request runs", err)
			default:
			}
			close(g.open)
			if got := <-slow; got != (result{"HTTP/2.0", "through", nil}) {
				t.Errorf("slow request: %+v", got)
			}
			if err := <-drained; err != nil {
				t.Errorf("Shutdown = %v", err)
			}
			if err := r.wait(); err != nil {
				t.Errorf("Serve = %v", err)
			}
		})
	}
}

// Requests of HTTP/2 that a drain cuts are counted one by one.
func TestDrainHTTP2Cut(t *testing.T) {
	noLeaks(t)
	certFile, keyFile, roots := certificate(t)
	ln, g := listen(t), newGate()
	r := start(t, &web.Server{Listener: ln, Handler: g, CertFile: certFile, KeyFile: keyFile})
	client := httpClient(t, roots, (*http.Protocols).SetHTTP2)
	failed := make(chan error)
	for range 3 {
		go func() {
			_, _, err := fetch(client, "https://"+ln.Addr().String())
			failed <- err
		}()
	}
	if !eventually(func() bool { return len(g.handled()) == 3 }) {
		t.Fatal("the requests did not arrive")
	}
	err := r.shutdown(drain.Stop, 10*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "requests cut: 3") {
		t.Errorf("Shutdown = %v, want 3 requests cut at the deadline", err)
	}
	for range 3 {
		if err := <-failed; err == nil {
			t.Error("a request that was cut has an answer")
		}
	}
	if err := r.wait(); err != nil {
		t.Errorf("Serve = %v", err)
	}
}
