// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build interop

package tlsfiles_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/tlsfiles"
	"github.com/mainstay-go/mainstay/web"
)

// need returns the path of a program of somebody else. Without it the test is skipped, and fails in CI.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s on this machine, and CI tests with it", program)
	}
	t.Skipf("no %s on this machine: make interop installs it as root on Debian", program)
	return ""
}

// ask runs a program with nothing to read, to its end.
func ask(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	return string(out), err
}

// serve starts a web.Server for the length of the test and returns its address.
func serve(t *testing.T, o tlsfiles.Options) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &web.Server{Listener: ln, TLS: &o, Logger: o.Logger, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	})}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// A list means the same ciphers as to OpenSSL, of those that Go has and calls secure; those that it does
// not may come by their names.
func TestCipherListsAsOpenSSLHasThem(t *testing.T) {
	openssl := need(t, "openssl")
	lists := []string{
		"DEFAULT", "ALL", "HIGH", "HIGH:!aNULL", "HIGH:!aNULL:!MD5:!RC4:@STRENGTH", "ECDHE+AESGCM", "EECDH+AESGCM:EDH+AESGCM:AES256+EECDH",
		"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!MD5", "!ECDSA:HIGH", "HIGH:!CBC", "HIGH -AES AESGCM", "HIGH,!CHACHA20;!SHA",
		"aRSA", "aECDSA:!AESGCM", "ECDSA+AES128", "TLSv1.0", "TLSv1", "TLSv1.2:!CBC", "FIPS:!SHA1", "CHACHA20", "AES+AES128", "AES:-AES256", "AESGCM:!AESGCM:AES128",
		"HIGH:+ECDHE", "kECDHE+aRSA", "kEECDH:!SHA", "ECDH+HIGH:!SHA256", "SUITEB128", "SUITEB128ONLY", "SUITEB192", "SUITEB128:HIGH",
		"HIGH:@SECLEVEL=0", "HIGH:@SECLEVEL=2", "HIGH:@SECLEVEL=3", "@SECLEVEL=4:HIGH", "HIGH:@SECLEVEL=5",
		"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256", "AES128-SHA", "AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA256",
		"ALL:!COMPLEMENTOFDEFAULT:!eNULL", "ECDHE-RSA-AES128-SHA+HIGH", "AES256-SHA:!kRSA:CHACHA20", "HIGH:-AES:+CHACHA20", "CAMELLIA:CHACHA20",
		"HIGH:!RSA:!DH:!PSK:!SRP:!CAMELLIA:!ARIA:!SEED:!3DES:!DSS:!ADH:!AECDH:!LOW:!MEDIUM:!EXP",
		"HIGH:!ALL", "RC4", "", "@FOO:HIGH", "HIGH:!", "HIGH:@SECLEVEL=9",
	}
	for _, a := range []string{"ECDHE", "kRSA", "AES", "AES128", "AES256", "AESGCM", "CHACHA20", "SHA1", "SHA256", "CBC", "aRSA", "ECDSA", "TLSv1.2", "SSLv3", "FIPS", "HIGH"} {
		for _, b := range []string{"AES128", "CHACHA20", "aECDSA", "SHA", "AESGCM"} {
			lists = append(lists, a+"+"+b, a+":!"+b, "ALL:-"+a+":"+b, "!"+a+":"+b)
		}
	}
	secure := tlsfiles.SuiteNames()[:10]
	for _, list := range lists {
		out, err := ask(t, openssl, "ciphers", "-s", "-tls1_2", list)
		var want []string
		if err == nil {
			named := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(":,; +", r) })
			for name := range strings.SplitSeq(strings.TrimSpace(out), ":") {
				if slices.Contains(secure, name) || slices.Contains(tlsfiles.SuiteNames(), name) && slices.Contains(named, name) {
					want = append(want, name)
				}
			}
		}
		got, _, err := tlsfiles.ParseCiphers(list)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || (err == nil) != (len(want) > 0) {
			t.Errorf("%q is %q, %v; OpenSSL's is %q", list, got, err, want)
		}
	}
	t.Logf("%d lists", len(lists))
}

func TestOpenSSLClient(t *testing.T) {
	openssl := need(t, "openssl")
	rsa := issue(request{key: rsaKey()})
	for name, c := range map[string]struct {
		version, min, ciphers string
		args                  []string
		want                  string // in what s_client says; none is no handshake
	}{
		"TLS 1.2 by default":            {"", "", "", []string{"-tls1_2"}, "New, TLSv1.2, Cipher is ECDHE-RSA-AES128-GCM-SHA256"},
		"TLS 1.3 by default":            {"", "", "", []string{"-tls1_3"}, "New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256"},
		"no TLS 1.1 by default":         {"", "", "", []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, ""},
		"TLS 1.0 alone":                 {"tlsv1", "", "", []string{"-cipher", "ALL:@SECLEVEL=0"}, "Protocol  : TLSv1\n"},
		"TLS 1.1 alone":                 {"tlsv1_1", "", "", []string{"-cipher", "ALL:@SECLEVEL=0"}, "Protocol  : TLSv1.1\n"},
		"TLS 1.2 alone":                 {"tlsv1_2", "", "", nil, "Protocol  : TLSv1.2\n"},
		"TLS 1.3 alone, for TLS 1.2":    {"tlsv1_3", "", "", []string{"-tls1_2"}, ""},
		"from TLS 1.0 on":               {"", "tlsv1", "", []string{"-tls1", "-cipher", "ALL:@SECLEVEL=0"}, "Protocol  : TLSv1\n"},
		"AES256":                        {"", "", "HIGH:!AES128:!CHACHA20", []string{"-tls1_2"}, "Cipher is ECDHE-RSA-AES256-GCM-SHA384"},
		"CHACHA20":                      {"", "", "CHACHA20", []string{"-tls1_2"}, "Cipher is ECDHE-RSA-CHACHA20-POLY1305"},
		"a client of another mind":      {"", "", "CHACHA20", []string{"-tls1_2", "-cipher", "AESGCM"}, ""},
		"a weak one by its name":        {"", "", "AES128-SHA", []string{"-tls1_2"}, "Cipher is AES128-SHA"},
		"a weak one not by its keyword": {"", "", "HIGH", []string{"-tls1_2", "-cipher", "AES128-SHA"}, ""},
		"HTTP/2 by ALPN":                {"", "", "", []string{"-alpn", "h2,http/1.1"}, "ALPN protocol: h2"},
	} {
		t.Run(name, func(t *testing.T) {
			o := files(t, rsa)
			o.Version, o.MinVersion, o.Ciphers = c.version, c.min, c.ciphers
			out, err := ask(t, openssl, append([]string{"s_client", "-connect", serve(t, o)}, c.args...)...)
			if (err == nil) != (c.want != "") || !strings.Contains(out, c.want) {
				t.Errorf("s_client: %v, want %q in\n%s", err, c.want, out)
			}
		})
	}
}

func TestCurl(t *testing.T) {
	curl := need(t, "curl")
	authority, stranger := issue(request{subject: "authority", ca: true}), issue(request{subject: "stranger", ca: true})
	o := files(t, issue(request{}))
	dir := t.TempDir()
	o.CAFile = write(t, dir, "ca.pem", authority.cert)
	url := "https://" + serve(t, o) + "/"
	for name, c := range map[string]struct {
		by   *issued
		good bool
	}{"of the CA": {authority, true}, "of another": {stranger, false}, "none": {nil, false}} {
		for flag, want := range map[string]string{"--http1.1": "HTTP/1.1", "--http2": "HTTP/2.0"} {
			args := []string{"--silent", "--show-error", "--fail", "--cacert", o.CertFile, flag, url}
			if c.by != nil {
				own := issue(request{subject: "client", by: c.by})
				args = append(args, "--cert", write(t, dir, "client.pem", own.cert), "--key", write(t, dir, "client.key", own.key))
			}
			if out, err := ask(t, curl, args...); (err == nil) != c.good || c.good && out != want {
				t.Errorf("%s, client certificate %s: %q, %v", flag, name, out, err)
			}
		}
	}
}

// A session that openssl keeps is resumed after the certificate has changed.
func TestOpenSSLResumes(t *testing.T) {
	openssl := need(t, "openssl")
	o := files(t, issue(request{subject: "first"}))
	o.ReloadInterval = 10 * time.Millisecond
	addr := serve(t, o)
	session := write(t, t.TempDir(), "session", nil)
	if out, err := ask(t, openssl, "s_client", "-tls1_2", "-connect", addr, "-sess_out", session); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	second := issue(request{subject: "second"})
	put(t, o.CertFile, second.cert)
	put(t, o.KeyFile, second.key)
	if !eventually(func() bool {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return false
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName == "second"
	}) {
		t.Fatal("the new certificate is not in use")
	}
	if out, err := ask(t, openssl, "s_client", "-tls1_2", "-connect", addr, "-sess_in", session); err != nil || !strings.Contains(out, "Reused, TLSv1.2") {
		t.Errorf("%v, want a session reused:\n%s", err, out)
	}
}
