// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// DefaultReloadInterval is how often a [Source] looks at its files.
const DefaultReloadInterval = 5 * time.Second

// Options say which files there are, and how to speak TLS with them: oslo.service's options of the group
// ssl under their names, and some that it lacks, for config.Register. The zero value is no TLS.
type Options struct {
	CertFile   string   `config:"cert_file,cli" deprecated:"DEFAULT.ssl_cert_file,DEFAULT.tls_cert" help:"Certificate in PEM, with the intermediate ones after it; with it and key_file the server speaks TLS. Also --tls-cert."`
	KeyFile    string   `config:"key_file,cli" deprecated:"DEFAULT.ssl_key_file,DEFAULT.tls_key" help:"Key of the certificate in PEM, not encrypted. Also --tls-key."`
	CAFile     string   `config:"ca_file" deprecated:"DEFAULT.ssl_ca_file" help:"Certificates in PEM of those who sign clients' certificates. With it each client must have one."`
	Version    string   `config:"version" help:"The one version to speak: tlsv1, tlsv1_1, tlsv1_2 or tlsv1_3, in any case. sslv23, as no version, is all from min_version on. sslv2 and sslv3 are refused."`
	MinVersion string   `config:"min_version" help:"Oldest version to speak: tlsv1, tlsv1_1, tlsv1_2 or tlsv1_3; unset: tlsv1_2."`
	Ciphers    string   `config:"ciphers" help:"Ciphers up to TLS 1.2 as an OpenSSL cipher list, as in HIGH:!aNULL. Their order is Go's, and so are the ciphers of TLS 1.3."`
	Pairs      []string `config:"certificate_pair,multi" help:"One more certificate, for clients that ask for one of its names: its file and that of its key with a comma between, or one file with both."`
	Protocols  []string `config:"alpn_protocols" default:"h2,http/1.1" help:"Protocols to offer, the preferred one first."`

	// ReloadInterval is how often the files are looked at; 0 is 5 s, negative never.
	ReloadInterval time.Duration `config:"reload_interval" default:"5" min:"1" unit:"seconds" help:"How often to look for new certificates in the files."`

	// ReadFile reads a file for the first time; nil is os.ReadFile. Programs with workers set
	// service.ReadFile: a worker that starts while the files are broken then begins with what its
	// launcher read. All later reading is of the disk.
	ReadFile func(path string) ([]byte, error)

	// Logger gets what becomes of the files; nil is slog.Default().
	Logger *slog.Logger
}

// Enabled reports whether TLS is asked for: by a certificate, a key or a pair, as upstream has it.
func (o Options) Enabled() bool { return o.CertFile != "" || o.KeyFile != "" || len(o.Pairs) > 0 }

// Check says what is wrong with the options and their files: whatever [Open] would refuse. It changes
// nothing and writes nothing to the log. The warnings are for what works here, but perhaps not for clients,
// such as a certificate that has expired.
func (o Options) Check() (warnings []string, err error) {
	s, err := prepare(o)
	if err != nil {
		return nil, err
	}
	warnings = s.remarks
	now := time.Now()
	for _, c := range s.state.Load().shown {
		if w := c.warning(now); w != "" {
			warnings = append(warnings, fmt.Sprintf("%s: %s: %s", c.File, c.Subject, w))
		}
	}
	return warnings, nil
}

// A pair is a certificate with its key, as options name their files.
type pair struct {
	certOption, cert string
	keyOption, key   string
}

var errBoth = errors.New("When running server in SSL mode, you must specify both a cert_file and key_file option value in your configuration file") //lint:ignore ST1005 upstream's words

// pairs returns all certificates, the one for clients that ask for no name first.
func (o Options) pairs() ([]pair, error) {
	var all []pair
	switch {
	case o.CertFile != "" && o.KeyFile != "":
		all = append(all, pair{"cert_file", o.CertFile, "key_file", o.KeyFile})
	case o.CertFile != "" || o.KeyFile != "" || len(o.Pairs) == 0:
		return nil, errBoth
	}
	for _, text := range o.Pairs {
		cert, key, two := strings.Cut(text, ",")
		cert, key = strings.TrimSpace(cert), strings.TrimSpace(key)
		if !two {
			key = cert
		}
		if cert == "" || key == "" || strings.Contains(key, ",") {
			return nil, fmt.Errorf("certificate_pair: %q: want a certificate's file, a comma and the key's file, or one file with both", text)
		}
		all = append(all, pair{"certificate_pair", cert, "certificate_pair", key})
	}
	return all, nil
}

// template makes what is the same for all certificates; remarks are for the log.
func (o Options) template() (c *tls.Config, remarks []string, err error) {
	c = &tls.Config{}
	if c.MinVersion, c.MaxVersion, err = versions(o.Version, o.MinVersion); err != nil {
		return nil, nil, err
	}
	if c.MinVersion < tls.VersionTLS12 {
		remarks = append(remarks, fmt.Sprintf("%s is spoken, which RFC 8996 calls insecure", tls.VersionName(c.MinVersion)))
	}
	if strings.TrimSpace(o.Ciphers) != "" {
		list, err := parseCiphers(o.Ciphers)
		if err != nil {
			return nil, nil, err
		}
		c.CipherSuites = list.suites
		remarks = append(remarks, list.remarks...)
		if c.MinVersion >= tls.VersionTLS13 {
			remarks = append(remarks, "ciphers: no effect, as those of TLS 1.3 are Go's choice")
		}
	}
	protocols := o.Protocols
	if len(protocols) == 0 {
		protocols = []string{"h2", "http/1.1"}
	}
	for _, p := range protocols {
		switch {
		case p != "h2" && p != "http/1.1":
			return nil, nil, fmt.Errorf("alpn_protocols: %q: want h2 or http/1.1", p)
		case slices.Contains(c.NextProtos, p):
			return nil, nil, fmt.Errorf("alpn_protocols: %q: twice", p)
		case p == "h2" && !canHTTP2(c):
			remarks = append(remarks, "HTTP/2 is not offered: it needs TLS 1.2 with an ECDHE cipher of AES128-GCM-SHA256, or TLS 1.3 alone")
		default:
			c.NextProtos = append(c.NextProtos, p)
		}
	}
	if c.NextProtos == nil {
		c.NextProtos = []string{"http/1.1"}
	}
	return c, remarks, nil
}

// canHTTP2 reports whether c allows what RFC 9113 demands of TLS, as net/http sees it.
func canHTTP2(c *tls.Config) bool {
	if c.MaxVersion != 0 && c.MaxVersion < tls.VersionTLS12 {
		return false
	}
	return c.CipherSuites == nil || c.MinVersion >= tls.VersionTLS13 ||
		slices.Contains(c.CipherSuites, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) ||
		slices.Contains(c.CipherSuites, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
}

func (o Options) interval() time.Duration { return cmp.Or(o.ReloadInterval, DefaultReloadInterval) }

// versionNames are the versions as a configuration file spells them.
var versionNames = map[string]uint16{
	"tlsv1": tls.VersionTLS10, "tlsv1_1": tls.VersionTLS11, "tlsv1_2": tls.VersionTLS12, "tlsv1_3": tls.VersionTLS13,
}

// versions returns the oldest and the latest version to speak; zero is Go's latest.
func versions(only, oldest string) (low, high uint16, err error) {
	low = tls.VersionTLS12
	if oldest != "" {
		v, ok := versionNames[strings.ToLower(oldest)]
		if !ok {
			return 0, 0, fmt.Errorf("min_version: %q: want tlsv1, tlsv1_1, tlsv1_2 or tlsv1_3", oldest)
		}
		low = v
	}
	switch name := strings.ToLower(only); name {
	case "", "sslv23":
		return low, 0, nil
	case "sslv2", "sslv3":
		return 0, 0, versionError(only + ", which is broken and not in Go: want sslv23, tlsv1, tlsv1_1, tlsv1_2 or tlsv1_3")
	default:
		v, ok := versionNames[name]
		if !ok {
			return 0, 0, versionError(only + ": want sslv23, tlsv1, tlsv1_1, tlsv1_2 or tlsv1_3")
		}
		if oldest != "" && v < low {
			return 0, 0, fmt.Errorf("version: %s is older than min_version, which is %s", only, oldest)
		}
		return v, v, nil
	}
}

// A versionError is one of the option version, in upstream's words.
type versionError string

func (e versionError) Error() string { return "Invalid SSL version : " + string(e) }
