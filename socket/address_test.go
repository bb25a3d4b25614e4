// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/mainstay-go/mainstay/socket"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string][2]string{
		"127.0.0.1:8774":      {"tcp", "127.0.0.1:8774"},
		"example.org:80":      {"tcp", "example.org:80"},
		"_sip.example:80":     {"tcp", "_sip.example:80"},
		"[::1]:8774":          {"tcp", "[::1]:8774"},
		"[fe80::1%eth0]:8774": {"tcp", "[fe80::1%eth0]:8774"},
		":0":                  {"tcp", ":0"},
		":65535":              {"tcp", ":65535"},
		"unix:/run/x.sock":    {"unix", "/run/x.sock"},
		"unix:@name":          {"unix", "@name"},
		"unix:/a:1":           {"unix", "/a:1"},
	} {
		network, address, err := socket.ParseAddress(in)
		if err != nil || [2]string{network, address} != want {
			t.Errorf("ParseAddress(%q) = %q, %q, %v, want %q", in, network, address, err, want)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "HOST:PORT",
		"localhost":                         "HOST:PORT",
		"8774":                              "HOST:PORT",
		"::1:8774":                          "HOST:PORT",
		"http://localhost:80":               "HOST:PORT",
		"localhost:":                        `port ""`,
		"localhost:http":                    `port "http"`,
		"localhost:65536":                   `port "65536"`,
		"localhost:-1":                      `port "-1"`,
		"localhost:+1":                      `port "+1"`,
		"two words:1":                       `host "two words"`,
		"ä:1":                               `host "ä"`,
		"[localhost]:1":                     `host "localhost"`,
		"[127.0.0.1]:1":                     `host "127.0.0.1"`,
		"[fe80::1%a b]:1":                   `host "fe80::1%a b"`,
		"[]:1":                              `host ""`,
		"unix:":                             "unix:/PATH",
		"unix:@":                            "unix:/PATH",
		"unix:run/x.sock":                   "unix:/PATH",
		"unix:/a\x00b":                      "zero byte",
		"unix:/" + strings.Repeat("x", 107): "108 bytes",
		"line\nbreak":                       "HOST:PORT",
		"systemd:web":                       `port "web"`,
	} {
		network, address, err := socket.ParseAddress(in)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), strconv.Quote(in)) {
			t.Errorf("ParseAddress(%q) = %q, %q, %v, want the value and %q in the error", in, network, address, err, want)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"127.0.0.1:1", "[::1]:1", ":1", "unix:/a", "unix:@a", "[fe80::1%1]:0", "a:b:c", "[", "unix:\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		network, address, err := socket.ParseAddress(s)
		if err != nil {
			if network != "" || address != "" || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("ParseAddress(%q) = %q, %q, %q, want one line and nothing else", s, network, address, err)
			}
			return
		}
		switch network {
		case "tcp":
			host, port, err := net.SplitHostPort(address)
			if err != nil || address != s {
				t.Errorf("ParseAddress(%q) = tcp %q, which net refuses: %v", s, address, err)
			}
			if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
				t.Errorf("ParseAddress(%q) takes port %q", s, port)
			}
			if strings.ContainsFunc(host, unicode.IsSpace) {
				t.Errorf("ParseAddress(%q) takes host %q", s, host)
			}
		case "unix":
			if "unix:"+address != s {
				t.Errorf("ParseAddress(%q) = unix %q", s, address)
			}
		default:
			t.Errorf("ParseAddress(%q): network %q", s, network)
		}
	})
}

func ExampleParseAddress() {
	for _, s := range []string{":8774", "unix:@app", "localhost"} {
		network, address, err := socket.ParseAddress(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(network, address)
	}
	// Output:
	// tcp :8774
	// unix @app
	// address "localhost": want HOST:PORT, [::1]:PORT, :PORT, unix:/PATH or unix:@NAME
}
