// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/tlsfiles"
)

func TestSSL01AllFilesPresent(t *testing.T) {
	o := files(t, issue(request{}))
	o.CAFile = o.CertFile
	if !o.Enabled() {
		t.Error("not enabled")
	}
	if warnings, err := o.Check(); warnings != nil || err != nil {
		t.Errorf("Check = %q, %v", warnings, err)
	}
	if (tlsfiles.Options{CAFile: o.CAFile}).Enabled() {
		t.Error("enabled by a CA file alone")
	}
}

func TestSSL02To04MissingFile(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone.pem")
	for option, change := range map[string]func(*tlsfiles.Options){
		"cert_file": func(o *tlsfiles.Options) { o.CertFile = gone },
		"key_file":  func(o *tlsfiles.Options) { o.KeyFile = gone },
		"ca_file":   func(o *tlsfiles.Options) { o.CAFile = gone },
	} {
		o := files(t, issue(request{}))
		change(&o)
		_, err := o.Check()
		want := "Unable to find " + option + " : " + gone
		if err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: Check = %v, want %q", option, err, want)
		}
		if wrong, ok := errors.AsType[*tlsfiles.Error](err); !ok || wrong.File != gone || wrong.Option != option {
			t.Errorf("%s: Check = %#v, want an *Error", option, err)
		}
		if _, err := tlsfiles.Open(o); err == nil || err.Error() != want {
			t.Errorf("%s: Open = %v, want %q", option, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	good, other, rsa := issue(request{}), issue(request{}), issue(request{key: rsaKey()})
	dir := t.TempDir()
	put := func(name, text string) string { return write(t, dir, name, []byte(text)) }
	encrypted := put("encrypted", string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})))
	old := put("old", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("x")})))
	broken := put("broken", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})))
	wrongKey := put("wrong", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})))
	der := put("der", string(good.leaf.Raw))
	text, empty := put("text", "hello\n"), put("empty", "\n")
	foreign := put("foreign", string(other.key))
	both := put("both", string(bytes.Join([][]byte{good.key, good.cert}, nil)))
	for name, c := range map[string]struct {
		change func(*tlsfiles.Options)
		want   []string // in the error; none is no error
	}{
		"good":                    {func(o *tlsfiles.Options) {}, nil},
		"in one file":             {func(o *tlsfiles.Options) { o.CertFile, o.KeyFile = both, both }, nil},
		"one more in one file":    {func(o *tlsfiles.Options) { o.Pairs = []string{both} }, nil},
		"one more in two":         {func(o *tlsfiles.Options) { o.Pairs = []string{o.CertFile + " , " + o.KeyFile} }, nil},
		"no key":                  {func(o *tlsfiles.Options) { o.KeyFile = "" }, []string{"you must specify both a cert_file and key_file"}},
		"no certificate":          {func(o *tlsfiles.Options) { o.CertFile = "" }, []string{"you must specify both a cert_file and key_file"}},
		"a CA alone":              {func(o *tlsfiles.Options) { o.CAFile, o.CertFile, o.KeyFile = o.CertFile, "", "" }, []string{"you must specify both"}},
		"a folder":                {func(o *tlsfiles.Options) { o.CertFile = dir }, []string{"cert_file " + dir + ": is a directory"}},
		"text":                    {func(o *tlsfiles.Options) { o.CertFile = text }, []string{"cert_file " + text + ": not PEM"}},
		"empty":                   {func(o *tlsfiles.Options) { o.KeyFile = empty }, []string{"key_file " + empty + ": empty"}},
		"DER":                     {func(o *tlsfiles.Options) { o.CertFile = der }, []string{"cert_file " + der + ": not PEM, but perhaps DER"}},
		"exchanged":               {func(o *tlsfiles.Options) { o.CertFile, o.KeyFile = o.KeyFile, o.CertFile }, []string{"no certificate in it, but PRIVATE KEY", "no key in it, but CERTIFICATE"}},
		"no certificate inside":   {func(o *tlsfiles.Options) { o.CertFile = broken }, []string{"cert_file " + broken + ": certificate 1: malformed certificate"}},
		"no key inside":           {func(o *tlsfiles.Options) { o.KeyFile = wrongKey }, []string{"key_file " + wrongKey + ": failed to parse private key"}},
		"somebody else's key":     {func(o *tlsfiles.Options) { o.KeyFile = foreign }, []string{"key_file " + foreign + ": does not belong to the certificate in "}},
		"encrypted":               {func(o *tlsfiles.Options) { o.KeyFile = encrypted }, []string{"key_file " + encrypted + ": the key is encrypted"}},
		"encrypted as of old":     {func(o *tlsfiles.Options) { o.KeyFile = old }, []string{"key_file " + old + ": the key is encrypted"}},
		"an empty CA":             {func(o *tlsfiles.Options) { o.CAFile = empty }, []string{"ca_file " + empty + ": empty"}},
		"a CA that is a key":      {func(o *tlsfiles.Options) { o.CAFile = foreign }, []string{"ca_file " + foreign + ": no certificate in it"}},
		"two things":              {func(o *tlsfiles.Options) { o.CAFile, o.KeyFile = empty, text }, []string{"ca_file " + empty, "; ", "key_file " + text}},
		"a pair of three":         {func(o *tlsfiles.Options) { o.Pairs = []string{"a,b,c"} }, []string{`certificate_pair: "a,b,c": want`}},
		"a pair that is not":      {func(o *tlsfiles.Options) { o.Pairs = []string{o.CertFile + "," + foreign} }, []string{"certificate_pair " + foreign + ": does not belong"}},
		"sslv2":                   {func(o *tlsfiles.Options) { o.Version = "sslv2" }, []string{"Invalid SSL version : sslv2, which is broken"}},
		"SSLv3":                   {func(o *tlsfiles.Options) { o.Version = "SSLv3" }, []string{"Invalid SSL version : SSLv3, which is broken"}},
		"no version":              {func(o *tlsfiles.Options) { o.Version = "tls" }, []string{"Invalid SSL version : tls: want"}},
		"no oldest version":       {func(o *tlsfiles.Options) { o.MinVersion = "sslv3" }, []string{`min_version: "sslv3": want`}},
		"older than the oldest":   {func(o *tlsfiles.Options) { o.Version, o.MinVersion = "tlsv1", "tlsv1_2" }, []string{"version: tlsv1 is older than min_version"}},
		"no protocol":             {func(o *tlsfiles.Options) { o.Protocols = []string{"h3"} }, []string{`alpn_protocols: "h3": want h2 or http/1.1`}},
		"twice the same":          {func(o *tlsfiles.Options) { o.Protocols = []string{"h2", "h2"} }, []string{`alpn_protocols: "h2": twice`}},
		"no cipher":               {func(o *tlsfiles.Options) { o.Ciphers = "HIHG" }, []string{`ciphers: "HIHG": "HIHG" is no cipher`}},
		"ciphers for other keys":  {func(o *tlsfiles.Options) { o.Ciphers, o.Version = "aRSA", "tlsv1_2" }, []string{"its ECDSA key does not go with version and ciphers"}},
		"which TLS 1.3 heeds not": {func(o *tlsfiles.Options) { o.Ciphers = "aRSA" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := files(t, good)
			c.change(&o)
			_, err := o.Check()
			if (err == nil) != (c.want == nil) {
				t.Fatalf("Check = %v, want %q", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("Check = %q, want one line with %q", err, want)
				}
			}
		})
	}
	o := files(t, rsa)
	o.Ciphers, o.Version = "aRSA", "tlsv1_2"
	if _, err := o.Check(); err != nil {
		t.Errorf("Check of an RSA key with ciphers for it = %v", err)
	}
}

// What upstream would start with is no error.
func TestCheckWarns(t *testing.T) {
	now := time.Now()
	for want, r := range map[string]request{
		"certificate has expired":      {before: now.Add(-2 * time.Hour), after: now.Add(-time.Hour)},
		"certificate is not valid yet": {before: now.Add(time.Hour), after: now.Add(90 * 24 * time.Hour)},
		"certificate expires soon":     {after: now.Add(time.Hour)},
	} {
		o := files(t, issue(r))
		var log journal
		o.Logger = log.logger()
		warnings, err := o.Check()
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], want) || !strings.Contains(warnings[0], o.CertFile) {
			t.Errorf("Check = %q, %v, want a warning with %q", warnings, err, want)
		}
		if n := log.count("\n"); n != 0 {
			t.Errorf("Check wrote %d lines", n)
		}
		open(t, o)
		if n := log.count(want); n != 1 {
			t.Errorf("%q %d times in the log of Open, want once", want, n)
		}
	}
}

func TestOptionsFromAFile(t *testing.T) {
	conf := config.New(config.Options{
		Program: "test", DefaultFiles: []string{"/c"}, DefaultDirs: []string{}, NoEnvironment: true,
		ReadFile: func(string) ([]byte, error) {
			return []byte("[DEFAULT]\nssl_ca_file = old\n[ssl]\ncert_file = c\nkey_file = k\nversion = TLSv1_2\nciphers = HIGH:!aNULL\n" +
				"certificate_pair = a,b\ncertificate_pair = both\n"), nil
		},
	})
	if err := conf.Register("ssl", tlsfiles.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := conf.Parse(nil); err != nil {
		t.Fatal(err)
	}
	o := config.Get[tlsfiles.Options](conf, "ssl")
	if o.CertFile != "c" || o.KeyFile != "k" || o.CAFile != "old" || o.Version != "TLSv1_2" || o.Ciphers != "HIGH:!aNULL" ||
		!slices.Equal(o.Pairs, []string{"a,b", "both"}) || !slices.Equal(o.Protocols, []string{"h2", "http/1.1"}) || o.ReloadInterval != 5*time.Second {
		t.Errorf("options = %+v", o)
	}
}

func TestHTTP2IsOfferedWhereItMayBe(t *testing.T) {
	pair := issue(request{})
	for name, c := range map[string]struct {
		version, min, ciphers string
		protocols             []string
		client                uint16 // latest version
		want                  string
	}{
		"by default":                     {want: "h2"},
		"not asked for":                  {protocols: []string{"http/1.1"}, want: "http/1.1"},
		"TLS 1.1":                        {version: "tlsv1_1", want: "http/1.1"},
		"TLS 1.3":                        {version: "tlsv1_3", want: "h2"},
		"old clients, new one":           {min: "tlsv1", want: "h2"},
		"old clients, old one":           {min: "tlsv1", client: tls.VersionTLS11, want: "http/1.1"},
		"the cipher that it must have":   {ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256", want: "h2"},
		"without it":                     {ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384", want: "http/1.1"},
		"without it, but TLS 1.3":        {ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384", version: "tlsv1_3", want: "h2"},
		"alone where it cannot be given": {version: "tlsv1", protocols: []string{"h2"}, want: "http/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := files(t, pair)
			o.Version, o.MinVersion, o.Ciphers, o.Protocols = c.version, c.min, c.ciphers, c.protocols
			got, err := shake(open(t, o).Config(), &tls.Config{
				InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: c.client, NextProtos: []string{"h2", "http/1.1"},
			})
			if err != nil || got.NegotiatedProtocol != c.want {
				t.Errorf("protocol = %q, %v, want %q", got.NegotiatedProtocol, err, c.want)
			}
		})
	}
}
