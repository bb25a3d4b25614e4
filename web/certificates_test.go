// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/drain"
	"github.com/mainstay-go/mainstay/tlsfiles"
	"github.com/mainstay-go/mainstay/web"
)

// replace puts the content of other files where the certificate and its key are.
func replace(t *testing.T, certFile, keyFile, otherCert, otherKey string) {
	t.Helper()
	if err := errors.Join(os.Rename(otherCert, certFile), os.Rename(otherKey, keyFile)); err != nil {
		t.Fatal(err)
	}
}

func TestClientCertificates(t *testing.T) {
	noLeaks(t)
	certFile, keyFile, roots := certificate(t)
	clientCert, clientKey, _ := certificate(t)
	ln := listen(t)
	start(t, &web.Server{Listener: ln, Handler: hello, TLS: &tlsfiles.Options{CertFile: certFile, KeyFile: keyFile, CAFile: clientCert}})
	own, err := tls.LoadX509KeyPair(clientCert, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	for want, protocol := range map[string]func(*http.Protocols, bool){
		"HTTP/1.1": (*http.Protocols).SetHTTP1, "HTTP/2.0": (*http.Protocols).SetHTTP2,
	} {
		if proto, _, err := fetch(httpClient(t, roots, protocol), "https://"+ln.Addr().String()); err == nil {
			t.Errorf("a client without a certificate was served by %s", proto)
		}
		client := httpClient(t, roots, protocol)
		client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{own}
		if proto, _, err := fetch(client, "https://"+ln.Addr().String()); proto != want || err != nil {
			t.Errorf("a client with a certificate: %s, %v, want %s", proto, err, want)
		}
	}
}

// New files serve new connections; those that are open and the requests on them notice nothing.
func TestCertificatesReloadedUnderLoad(t *testing.T) {
	noLeaks(t)
	certFile, keyFile, roots := certificate(t)
	ln := listen(t)
	s := &web.Server{Listener: ln, Handler: hello, TLS: &tlsfiles.Options{CertFile: certFile, KeyFile: keyFile, ReloadInterval: 10 * time.Millisecond}}
	start(t, s)
	url := "https://" + ln.Addr().String()
	// Trust in all the certificates to come.
	var next [][2]string
	for range 5 {
		cert, key, _ := certificate(t)
		data, err := os.ReadFile(cert)
		if err != nil {
			t.Fatal(err)
		}
		roots.AppendCertsFromPEM(data)
		next = append(next, [2]string{cert, key})
	}

	stop := make(chan struct{})
	var wg sync.WaitGroup
	var served, failed, dialled atomic.Int64
	for i := range 4 {
		var ask func(*http.Request) (*http.Response, error)
		if i%2 == 1 {
			client := httpClient(t, roots, (*http.Protocols).SetHTTP2)
			ask = client.Do
		} else {
			// No http.Client: on a busy machine it gives up connections by itself.
			conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: roots})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			dialled.Add(1)
			in := bufio.NewReader(conn)
			ask = func(req *http.Request) (*http.Response, error) {
				if err := req.Write(conn); err != nil {
					return nil, err
				}
				return http.ReadResponse(in, req)
			}
		}
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					GotConn: func(info httptrace.GotConnInfo) {
						if !info.Reused {
							dialled.Add(1)
						}
					},
				}), "GET", url, nil)
				res, err := ask(req)
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				if err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				served.Add(1)
			}
		})
	}
	current := func() string {
		conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return string(conn.ConnectionState().PeerCertificates[0].Raw)
	}
	for i, files := range next {
		before, old := served.Load(), current()
		replace(t, certFile, keyFile, files[0], files[1])
		if i%2 == 0 { // else it is found
			if err := s.Reset(t.Context()); err != nil {
				t.Errorf("Reset = %v", err)
			}
			if current() == old {
				t.Error("after Reset the old certificate is still in use")
			}
		} else if !eventually(func() bool { return current() != old }) {
			t.Error("the new certificate was not found")
		}
		if !eventually(func() bool { return served.Load() > before+10 }) {
			t.Error("no more requests are served")
		}
	}
	close(stop)
	wg.Wait()
	if served.Load() < 50 || failed.Load() > 0 || dialled.Load() != 4 {
		t.Errorf("%d requests served and %d failed on %d connections, want 4", served.Load(), failed.Load(), dialled.Load())
	}
}

func TestBrokenCertificatesAreNotTaken(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	_, otherKey, _ := certificate(t)
	ln := listen(t)
	s := &web.Server{Listener: ln, Handler: hello, CertFile: certFile, KeyFile: keyFile}
	if got := s.Inspect(); got != nil {
		t.Errorf("Inspect before Start = %v", got)
	}
	r := start(t, s)
	if err := os.Rename(otherKey, keyFile); err != nil {
		t.Fatal(err)
	}
	if err := s.Reset(t.Context()); err == nil || !strings.Contains(err.Error(), "key_file "+keyFile+": does not belong") {
		t.Errorf("Reset with another's key = %v", err)
	}
	if _, _, err := fetch(httpClient(t, roots), "https://"+ln.Addr().String()); err != nil {
		t.Error(err)
	}
	shown, _ := s.Inspect()["certificates"].([]tlsfiles.Certificate)
	if len(shown) != 1 || shown[0].File != certFile || shown[0].Subject != "CN=test" || shown[0].Problem == "" || !slices.Equal(shown[0].Names, []string{"127.0.0.1"}) {
		t.Errorf("Inspect shows %+v", shown)
	}
	if err := r.shutdown(drain.Stop, time.Minute); err != nil {
		t.Error(err)
	}
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if got := s.Inspect(); got != nil {
		t.Errorf("Inspect after the end = %v", got)
	}
	if err := s.Reset(t.Context()); err != nil {
		t.Errorf("Reset after the end = %v", err)
	}
}

// What Configure changes in the configuration made of files holds, also after a reload.
func TestConfigureChangesTLS(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	for name, c := range map[string]struct {
		configure func(*http.Server)
		proto     string
		version   uint16
	}{
		"nothing":    {func(*http.Server) {}, "h2", tls.VersionTLS13},
		"a version":  {func(hs *http.Server) { hs.TLSConfig.MaxVersion = tls.VersionTLS12 }, "h2", tls.VersionTLS12},
		"a protocol": {func(hs *http.Server) { hs.TLSConfig.NextProtos = []string{"http/1.1"} }, "http/1.1", tls.VersionTLS13},
		"protocols": {func(hs *http.Server) {
			hs.Protocols = new(http.Protocols)
			hs.Protocols.SetHTTP1(true)
		}, "http/1.1", tls.VersionTLS13},
		"ciphers that are not for HTTP/2": {func(hs *http.Server) {
			hs.TLSConfig.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
			hs.TLSConfig.MaxVersion = tls.VersionTLS12
		}, "http/1.1", tls.VersionTLS12},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t)
			s := &web.Server{Listener: ln, Handler: hello, CertFile: certFile, KeyFile: keyFile, Configure: c.configure}
			start(t, s)
			for range 2 {
				conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}})
				if err != nil {
					t.Fatal(err)
				}
				if got := conn.ConnectionState(); got.NegotiatedProtocol != c.proto || got.Version != c.version {
					t.Errorf("%s over %s, want %s over %s", got.NegotiatedProtocol, tls.VersionName(got.Version), c.proto, tls.VersionName(c.version))
				}
				conn.Close()
				if err := s.Reset(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			_, body, err := fetch(httpClient(t, roots, (*http.Protocols).SetHTTP1, (*http.Protocols).SetHTTP2), "https://"+ln.Addr().String())
			if body != "hello, world\n" || err != nil {
				t.Errorf("%q, %v", body, err)
			}
		})
	}
}

func TestUnencryptedHTTP2(t *testing.T) {
	noLeaks(t)
	for _, on := range []bool{true, false} {
		ln := listen(t)
		start(t, &web.Server{Listener: ln, Handler: hello, UnencryptedHTTP2: on})
		url := "http://" + ln.Addr().String()
		if proto, _, err := fetch(httpClient(t, x509.NewCertPool(), (*http.Protocols).SetUnencryptedHTTP2), url); (err == nil && proto == "HTTP/2.0") != on {
			t.Errorf("UnencryptedHTTP2 %v: %s, %v", on, proto, err)
		}
		if proto, _, err := fetch(httpClient(t, nil), url); proto != "HTTP/1.1" || err != nil {
			t.Errorf("HTTP/1.1 with UnencryptedHTTP2 %v: %s, %v", on, proto, err)
		}
	}
}
