// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// A state is all that was in the files at one moment. It never changes.
type state struct {
	certs  []tls.Certificate
	byName map[string][]*tls.Certificate // nil with one certificate
	cas    *x509.CertPool                // nil without a CA
	shown  []Certificate
	sum    [sha256.Size]byte
}

// A stamp says when a file has changed, without reading it.
type stamp struct {
	info os.FileInfo // nil if there is none
}

// settled is how old a file must be to be sure that its next change gives it another time.
const settled = 2 * time.Second

// same reports whether nothing has changed between two stamps. A link that leads elsewhere, as
// Kubernetes and certbot swap them, is a change: it is its end that is looked at.
func (s stamp) same(old stamp) bool {
	if s.info == nil || old.info == nil {
		return s.info == nil && old.info == nil
	}
	return os.SameFile(s.info, old.info) && s.info.Size() == old.info.Size() && s.info.ModTime().Equal(old.info.ModTime())
}

func stampsOf(paths []string) []stamp {
	all := make([]stamp, len(paths))
	for i, path := range paths {
		all[i].info, _ = os.Stat(path)
	}
	return all
}

func sameStamps(a, b []stamp) bool {
	return slices.EqualFunc(a, b, func(x, y stamp) bool { return x.same(y) })
}

// fresh reports whether a file may have changed once more after its stamp without a trace.
func fresh(stamps []stamp, now time.Time) bool {
	return slices.ContainsFunc(stamps, func(s stamp) bool { return s.info != nil && now.Sub(s.info.ModTime()) < settled })
}

// A loader reads the files and makes a state of them.
type loader struct {
	template *tls.Config
	pairs    []pair
	ca       string
}

// paths returns all files.
func (l *loader) paths() []string {
	var all []string
	if l.ca != "" {
		all = append(all, l.ca)
	}
	for _, p := range l.pairs {
		all = append(all, p.cert, p.key)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A file is what reading one has brought.
type file struct {
	data []byte
	err  error
}

// contents are all files by path.
type contents map[string]file

func (l *loader) read(readFile func(string) ([]byte, error)) contents {
	all := make(contents)
	for _, path := range l.paths() {
		data, err := readFile(path)
		all[path] = file{data, err}
	}
	return all
}

// sum is different for different contents, of which missing files are a part.
func (l *loader) sum(all contents) (sum [sha256.Size]byte) {
	h := sha256.New()
	add := func(h hash.Hash, text string, data []byte) { fmt.Fprintf(h, "%s %d\n%s", text, len(data), data) }
	for _, path := range l.paths() {
		f := all[path]
		add(h, fmt.Sprint(path, f.err), f.data)
	}
	h.Sum(sum[:0])
	return sum
}

// make checks everything, and names all that is wrong.
func (l *loader) make(all contents) (*state, error) {
	st := &state{sum: l.sum(all)}
	var wrong problems
	for i, p := range l.pairs {
		cert, errs := l.pair(p, all)
		wrong = append(wrong, errs...)
		if len(errs) == 0 {
			st.certs = append(st.certs, cert)
			st.shown = append(st.shown, shownOf(p.cert, cert.Leaf, false))
			st.shown = append(st.shown, chainOf(p.cert, cert)...)
		}
		if i == 0 && l.ca != "" { // in upstream's order, but that the key is before
			cas, errs := authorities(all[l.ca].data, all[l.ca].err)
			for _, err := range errs {
				wrong = append(wrong, &Error{"ca_file", l.ca, err})
			}
			st.cas = x509.NewCertPool()
			for _, ca := range cas {
				st.cas.AddCert(ca)
				st.shown = append(st.shown, shownOf(l.ca, ca, true))
			}
		}
	}
	if err := wrong.join(); err != nil {
		return nil, err
	}
	if len(st.certs) > 1 {
		st.index()
	}
	return st, nil
}

// pair makes a certificate of its two files.
func (l *loader) pair(p pair, all contents) (cert tls.Certificate, wrong problems) {
	certPEM, keyPEM := all[p.cert], all[p.key]
	err := certPEM.err
	if err == nil {
		_, err = certificates(certPEM.data)
	}
	if err != nil {
		wrong = append(wrong, &Error{p.certOption, p.cert, err})
	}
	err = keyPEM.err
	if err == nil {
		err = checkKey(keyPEM.data)
	}
	if err != nil {
		wrong = append(wrong, &Error{p.keyOption, p.key, err})
	}
	if wrong != nil {
		return cert, wrong
	}
	cert, err = tls.X509KeyPair(certPEM.data, keyPEM.data)
	switch {
	case err == nil:
		if err := l.try(cert); err != nil {
			wrong = append(wrong, &Error{p.certOption, p.cert, err})
		}
	case strings.Contains(err.Error(), "does not match"):
		wrong = append(wrong, &Error{p.keyOption, p.key, fmt.Errorf("does not belong to the certificate in %s", p.cert)})
	default:
		wrong = append(wrong, &Error{p.keyOption, p.key, errors.New(strings.TrimPrefix(err.Error(), "tls: "))})
	}
	return cert, wrong
}

// certificates returns those in a PEM file.
func certificates(data []byte) (all []*x509.Certificate, err error) {
	var other string
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			other = block.Type
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %s", len(all)+1, strings.TrimPrefix(err.Error(), "x509: "))
		}
		all = append(all, c)
	}
	switch {
	case len(all) > 0:
		return all, nil
	case other != "":
		return nil, fmt.Errorf("no certificate in it, but %s", other)
	}
	return nil, notPEM(data)
}

func notPEM(data []byte) error {
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return errors.New("empty")
	case data[0] == 0x30: // a sequence of ASN.1
		return errors.New("not PEM, but perhaps DER")
	}
	return errors.New("not PEM")
}

// checkKey says what is wrong with a PEM file that should have a key in it.
func checkKey(data []byte) error {
	var other string
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return errors.New("the key is encrypted: want one without a passphrase")
		case block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY"):
			return nil
		}
		other = block.Type
	}
	if other != "" {
		return fmt.Errorf("no key in it, but %s", other)
	}
	return notPEM(data)
}

// authorities returns the certificates of a CA file, each once.
func authorities(data []byte, err error) ([]*x509.Certificate, problems) {
	if err != nil {
		return nil, problems{err}
	}
	all, err := certificates(data)
	if err != nil {
		return nil, problems{err}
	}
	return all, nil
}

// tryTime is what a handshake in memory may take; it takes milliseconds.
const tryTime = 10 * time.Second

// try shakes hands with a client that takes everything: a key that the ciphers or the version have no
// use for is found now and not by the first client.
func (l *loader) try(cert tls.Certificate) error {
	server := l.template.Clone()
	server.Certificates, server.ClientAuth = []tls.Certificate{cert}, tls.NoClientCert
	client := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}
	for _, s := range suites {
		client.CipherSuites = append(client.CipherSuites, s.id)
	}
	ctx, cancel := context.WithTimeout(context.Background(), tryTime)
	defer cancel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	done := make(chan error, 1) // room for what nobody waits for
	go func() {
		tc := tls.Client(b, client)
		err := tc.HandshakeContext(ctx)
		if err == nil { // takes the tickets, which the server's handshake may wait for
			tc.SetReadDeadline(time.Now().Add(tryTime))
			tc.Read(make([]byte, 1))
		}
		done <- err
	}()
	err := tls.Server(a, server).HandshakeContext(ctx)
	a.Close()
	<-done
	if err == nil {
		return nil
	}
	return fmt.Errorf("its %v key does not go with version and ciphers: %s", cert.Leaf.PublicKeyAlgorithm, strings.TrimPrefix(err.Error(), "tls: "))
}

// index makes certificates be found by the names in them.
func (st *state) index() {
	st.byName = make(map[string][]*tls.Certificate)
	for i := range st.certs {
		c := &st.certs[i]
		for _, name := range namesOf(c.Leaf) {
			name = strings.ToLower(name)
			st.byName[name] = append(st.byName[name], c)
		}
	}
}

// namesOf returns what a certificate is for.
func namesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && c.Subject.CommonName != "" {
		names = []string{c.Subject.CommonName} // as clients of old had it
	}
	return names
}

// pick returns the certificate for a client: the first of those with its name, else with a wildcard for
// it, else of all, that the client's versions and ciphers have a use for.
func (st *state) pick(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	nameless := *hello
	nameless.ServerName = ""
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	_, parent, _ := strings.Cut(name, ".")
	for _, some := range [][]*tls.Certificate{st.byName[name], st.byName["*."+parent]} {
		for _, c := range some {
			if nameless.SupportsCertificate(c) == nil {
				return c, nil
			}
		}
	}
	for i := range st.certs {
		if c := &st.certs[i]; nameless.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return &st.certs[0], nil
}
