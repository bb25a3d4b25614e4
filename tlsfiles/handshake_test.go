// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/tlsfiles"
)

func TestSSL05Defaults(t *testing.T) {
	pair := issue(request{})
	c := open(t, files(t, pair)).Config()
	if c.ClientAuth != tls.NoClientCert || len(c.Certificates) != 1 {
		t.Errorf("ClientAuth %v with %d certificates, want none asked for and one", c.ClientAuth, len(c.Certificates))
	}
	got, err := shake(c, &tls.Config{RootCAs: poolOf(pair), ServerName: "127.0.0.1"})
	if err != nil || got.Version != tls.VersionTLS13 {
		t.Errorf("handshake: %s, %v", tls.VersionName(got.Version), err)
	}
	if _, err := shake(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("a client of TLS 1.1 was served")
	}
}

func TestSSL06ClientCertificateRequired(t *testing.T) {
	authority, stranger := issue(request{subject: "authority", ca: true}), issue(request{subject: "stranger", ca: true})
	o := files(t, issue(request{}))
	o.CAFile = write(t, t.TempDir(), "ca.pem", authority.cert)
	c := open(t, o).Config()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, client := range map[string]struct {
			by   *issued
			good bool
		}{"of the CA": {authority, true}, "of another": {stranger, false}, "none": {nil, false}} {
			cc := &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}
			if client.by != nil {
				own := issue(request{subject: "client", by: client.by})
				cc.Certificates = []tls.Certificate{must(tls.X509KeyPair(own.cert, own.key))}
			}
			if _, err := shake(c, cc); (err == nil) != client.good {
				t.Errorf("%s, certificate %s: %v", tls.VersionName(version), name, err)
			}
		}
	}
}

func TestSSL07Ciphers(t *testing.T) {
	pairs := map[string]*issued{"RSA": issue(request{key: rsaKey()}), "ECDSA": issue(request{key: ecKey()})}
	tried := 0
	for _, name := range tlsfiles.SuiteNames() {
		suite := tlsfiles.SuiteByName(name)
		pair := pairs["RSA"]
		if strings.Contains(name, "ECDSA") {
			pair = pairs["ECDSA"]
		}
		for _, spelling := range []string{name, tls.CipherSuiteName(suite)} {
			o := files(t, pair)
			o.Ciphers, o.MinVersion = spelling, "tlsv1"
			o.Version = "tlsv1_2"
			c := open(t, o).Config()
			everything := &tls.Config{InsecureSkipVerify: true}
			others := &tls.Config{InsecureSkipVerify: true}
			for _, other := range tlsfiles.SuiteNames() {
				id := tlsfiles.SuiteByName(other)
				everything.CipherSuites = append(everything.CipherSuites, id)
				if id != suite {
					others.CipherSuites = append(others.CipherSuites, id)
				}
			}
			if got, err := shake(c, everything); err != nil || got.CipherSuite != suite {
				t.Errorf("ciphers = %s: %s, %v", spelling, tls.CipherSuiteName(got.CipherSuite), err)
			}
			if got, err := shake(c, others); err == nil {
				t.Errorf("ciphers = %s: a client without it got %s", spelling, tls.CipherSuiteName(got.CipherSuite))
			}
			tried++
		}
	}
	if tried < 30 {
		t.Errorf("%d handshakes tried", tried)
	}
}

func TestSSL08Version(t *testing.T) {
	pair := issue(request{})
	all := []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13}
	for _, c := range []struct {
		version, min string
		want         []uint16
	}{
		{"tlsv1", "", all[:1]},
		{"TLSv1", "", all[:1]},
		{"tlsv1_1", "", all[1:2]},
		{"tlsv1_2", "", all[2:3]},
		{"tlsv1_3", "", all[3:]},
		{"", "", all[2:]},
		{"sslv23", "", all[2:]},
		{"sslv23", "tlsv1", all},
		{"", "tlsv1_1", all[1:]},
		{"", "tlsv1_3", all[3:]},
	} {
		t.Run(fmt.Sprintf("version %q, min_version %q", c.version, c.min), func(t *testing.T) {
			o := files(t, pair)
			o.Version, o.MinVersion = c.version, c.min
			server := open(t, o).Config()
			for _, v := range all {
				got, err := shake(server, &tls.Config{InsecureSkipVerify: true, MinVersion: v, MaxVersion: v})
				if want := slices.Contains(c.want, v); (err == nil) != want || want && got.Version != v {
					t.Errorf("client of %s: %s, %v, want %v", tls.VersionName(v), tls.VersionName(got.Version), err, want)
				}
			}
		})
	}
}

func TestServerNames(t *testing.T) {
	first := issue(request{subject: "first", names: []string{"first.example"}, key: ecKey()})
	old := issue(request{subject: "old", names: []string{"api.example", "*.api.example"}, key: rsaKey()})
	modern := issue(request{subject: "modern", names: []string{"API.example"}, key: ecKey()})
	exact := issue(request{subject: "exact", names: []string{"one.api.example"}, key: ecKey()})
	o := files(t, first)
	for i, c := range []*issued{modern, old, exact} {
		o.Pairs = append(o.Pairs, write(t, t.TempDir(), fmt.Sprint(i), slices.Concat(c.cert, c.key)))
	}
	server := open(t, o).Config()
	for _, c := range []struct {
		name, want string
		rsa        bool // the client knows no other
	}{
		{"", "first", false},
		{"elsewhere.example", "first", false},
		{"first.example", "first", false},
		{"api.example", "modern", false},
		{"api.example", "old", true},
		{"two.api.example", "old", false},
		{"one.api.example", "exact", false},
		{"elsewhere.example", "old", true},
		{"a.b.api.example", "first", false},
	} {
		client := &tls.Config{InsecureSkipVerify: true, ServerName: c.name}
		if c.rsa {
			client.MaxVersion, client.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
		}
		got, err := shake(server, client)
		if err != nil || got.PeerCertificates[0].Subject.CommonName != c.want {
			t.Errorf("client for %q, RSA only %v: %v, %v, want %s", c.name, c.rsa, got.PeerCertificates, err, c.want)
		}
	}
}
