// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/tlsfiles"
)

var (
	ecKey  = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	rsaKey = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// An issued is a certificate with its key, in PEM and parsed.
type issued struct {
	cert, key []byte
	leaf      *x509.Certificate
	signer    crypto.Signer
}

// A request says what certificate to make; its zero value is one for 127.0.0.1, signed by itself and good for an hour.
type request struct {
	subject       string
	names         []string
	before, after time.Time
	ca            bool
	by            *issued
	key           crypto.Signer
}

var serial int64

// issue makes a certificate.
func issue(r request) *issued {
	serial++
	key := r.key
	if key == nil {
		key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	}
	if r.subject == "" {
		r.subject = "test"
	}
	if r.before.IsZero() {
		r.before = time.Now().Add(-time.Hour)
	}
	if r.after.IsZero() {
		r.after = time.Now().Add(365 * 24 * time.Hour)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: r.subject}, NotBefore: r.before, NotAfter: r.after,
		DNSNames: r.names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: r.ca, BasicConstraintsValid: true,
	}
	parent, signer := template, key
	if r.by != nil {
		parent, signer = r.by.leaf, r.by.signer
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer))
	return &issued{
		cert:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))}),
		leaf:   must(x509.ParseCertificate(der)),
		signer: key,
	}
}

// write makes a file and returns its path.
func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// files writes a certificate and its key into a new folder.
func files(t testing.TB, c *issued) tlsfiles.Options {
	dir := t.TempDir()
	return tlsfiles.Options{
		CertFile: write(t, dir, "cert.pem", c.cert), KeyFile: write(t, dir, "key.pem", c.key),
		Logger: slog.New(slog.DiscardHandler),
	}
}

func open(t testing.TB, o tlsfiles.Options) *tlsfiles.Source {
	t.Helper()
	s, err := tlsfiles.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shake has a client and a server shake hands and say one byte to each other, and returns what the
// client saw.
func shake(server, client *tls.Config) (tls.ConnectionState, error) {
	a, b := net.Pipe()
	if client.ClientSessionCache != nil { // both sides write first when they resume: not on a pipe
		a, b = dialled()
	}
	defer a.Close()
	defer b.Close()
	sc, cc := tls.Server(a, server), tls.Client(b, client)
	done := make(chan error, 1)
	go func() {
		_, err := sc.Write([]byte{1}) // after the handshake, and so what a client sees of a refusal
		if err != nil {
			a.Close()
		}
		done <- err
	}()
	_, err := cc.Read(make([]byte, 1))
	b.Close()
	if serverErr := <-done; serverErr != nil {
		err = serverErr
	}
	return cc.ConnectionState(), err
}

// dialled returns the ends of a TCP connection.
func dialled() (a, b net.Conn) {
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	defer ln.Close()
	b = must(net.Dial("tcp", ln.Addr().String()))
	return must(ln.Accept()), b
}

func poolOf(c *issued) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.leaf)
	return pool
}

// A journal is a log to be searched.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.buf.String(), text)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// eventually polls, and reports whether cond came to hold.
func eventually(cond func() bool) bool {
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
