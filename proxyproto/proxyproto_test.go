// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proxyproto_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/proxyproto"
)

var signature = "\r\n\r\n\x00\r\nQUIT\n"

// listen returns a listener on loopback, wrapped.
func listen(t testing.TB, o proxyproto.Options) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	wrapped, err := proxyproto.Wrap(ln, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wrapped.Close() })
	return wrapped
}

// dial connects to ln and writes parts, one by one.
func dial(t testing.TB, ln net.Listener, parts ...string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	for _, part := range parts {
		if _, err := io.WriteString(nc, part); err != nil {
			t.Fatal(err)
		}
	}
	return nc
}

func accept(t testing.TB, ln net.Listener) net.Conn {
	t.Helper()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

func TestHeaders(t *testing.T) {
	const v4 = "\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\x12\x67\x00\x50"
	v6 := "\x21\x21\x00\x24\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x07" + strings.Repeat("\x00", 15) + "\x01\x12\x67\x00\x50"
	for name, c := range map[string]struct {
		header, client, local string // client "": that of the connection, "-": refused
	}{
		"version 1":                   {"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n", "203.0.113.7:4711", "10.0.0.1:80"},
		"version 1, IPv6":             {"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n", "[2001:db8::7]:4711", "[::1]:80"},
		"version 1, unknown":          {"PROXY UNKNOWN\r\n", "", ""},
		"version 1, unknown and more": {"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "", ""},
		"version 2":                   {signature + v4, "203.0.113.7:4711", "10.0.0.1:80"},
		"version 2, IPv6":             {signature + v6, "[2001:db8::7]:4711", "[::1]:80"},
		"version 2, extensions":       {signature + "\x21\x11\x00\x11" + v4[4:] + "\x04\x00\x02ab", "203.0.113.7:4711", "10.0.0.1:80"},
		"version 2, local":            {signature + "\x20\x00\x00\x00", "", ""},
		"version 2, local and more":   {signature + "\x20\x11" + v4[2:], "", ""},
		"version 2, a unix socket":    {signature + "\x21\x31\x00\xd8" + strings.Repeat("/", 216), "", ""},
		"version 2, too short":        {signature + "\x21\x11\x00\x04abcd", "-", ""},
		"version 3":                   {signature + "\x31\x11" + v4[2:], "-", ""},
		"a command of its own":        {signature + "\x22\x11" + v4[2:], "-", ""},
		"too long":                    {signature + "\x21\x11\xff\xff", "-", ""},
		"a line too long":             {"PROXY TCP4 " + strings.Repeat("1", 107), "-", ""},
		"no header":                   {"GET / HTTP/1.1\r\n", "-", ""},
		"families mixed":              {"PROXY TCP4 ::1 10.0.0.1 4711 80\r\n", "-", ""},
		"a port too high":             {"PROXY TCP4 203.0.113.7 10.0.0.1 65536 80\r\n", "-", ""},
		"a port with a zero":          {"PROXY TCP4 203.0.113.7 10.0.0.1 080 80\r\n", "-", ""},
		"no carriage return":          {"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\n", "-", ""},
		"two blanks":                  {"PROXY TCP4  203.0.113.7 10.0.0.1 4711 80\r\n", "-", ""},
		"a name":                      {"PROXY TCP4 localhost 10.0.0.1 4711 80\r\n", "-", ""},
		"UDP":                         {"PROXY UDP4 203.0.113.7 10.0.0.1 4711 80\r\n", "-", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t, proxyproto.Options{Trusted: []string{"127.0.0.1"}})
			peer := dial(t, ln, c.header, "body")
			nc := accept(t, ln)
			body := make([]byte, 4)
			_, err := io.ReadFull(nc, body)
			if c.client == "-" {
				if err == nil {
					t.Fatalf("read %q", body)
				}
				if _, err := peer.Read(body); err == nil {
					t.Error("the connection is not closed")
				}
				return
			}
			client, local := c.client, c.local
			if client == "" {
				client, local = peer.LocalAddr().String(), peer.RemoteAddr().String()
			}
			if string(body) != "body" || err != nil || nc.RemoteAddr().String() != client || nc.LocalAddr().String() != local {
				t.Errorf("read %q, %v, from %v to %v; want %s and %s", body, err, nc.RemoteAddr(), nc.LocalAddr(), client, local)
			}
		})
	}
}

func TestFromOthersItIsNoHeader(t *testing.T) {
	ln := listen(t, proxyproto.Options{Trusted: []string{"192.0.2.0/24", "::1", "unix"}})
	const header = "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n"
	peer := dial(t, ln, header)
	nc := accept(t, ln)
	line, err := bufio.NewReader(nc).ReadString('\n')
	if line != header || err != nil || nc.RemoteAddr().String() != peer.LocalAddr().String() {
		t.Errorf("read %q, %v, from %v", line, err, nc.RemoteAddr())
	}
}

func TestOptional(t *testing.T) {
	ln := listen(t, proxyproto.Options{Trusted: []string{"any"}, Optional: true})
	for _, c := range [][2]string{{"", "GET "}, {"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n", "GET "}, {"", "PRO\n"}} {
		peer := dial(t, ln, c[0], c[1])
		nc := accept(t, ln)
		b := make([]byte, 4)
		_, err := io.ReadFull(nc, b)
		want := "203.0.113.7:4711"
		if c[0] == "" {
			want = peer.LocalAddr().String()
		}
		if string(b) != c[1] || err != nil || nc.RemoteAddr().String() != want {
			t.Errorf("%q: read %q, %v, from %v", c, b, err, nc.RemoteAddr())
		}
	}
}

func TestTimeout(t *testing.T) {
	ln := listen(t, proxyproto.Options{Trusted: []string{"any"}, Timeout: 50 * time.Millisecond})
	for _, part := range []string{"", "PROXY TCP4 "} {
		peer := dial(t, ln, part)
		nc := accept(t, ln)
		nc.SetReadDeadline(time.Now().Add(time.Hour)) // later: does not count
		if _, err := nc.Read(make([]byte, 1)); err == nil {
			t.Errorf("%q: no error", part)
		}
		if _, err := peer.Read(make([]byte, 1)); err == nil {
			t.Errorf("%q: not closed", part)
		}
	}
	ln = listen(t, proxyproto.Options{Trusted: []string{"any"}, Timeout: time.Hour})
	dial(t, ln)
	nc := accept(t, ln)
	nc.SetDeadline(time.Now().Add(20 * time.Millisecond)) // earlier: counts
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("the deadline of the user did not count")
	}
	ln = listen(t, proxyproto.Options{Trusted: []string{"any"}, Timeout: 2 * time.Second})
	peer := dial(t, ln, "PROXY UNKNOWN\r\nx")
	nc = accept(t, ln)
	nc.RemoteAddr()
	if _, err := nc.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { io.WriteString(peer, "y") })
	if n, err := nc.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Errorf("behind the header: %d, %v", n, err)
	}
}

// TestAcceptDoesNotWait holds that a silent peer keeps nobody waiting.
func TestAcceptDoesNotWait(t *testing.T) {
	ln := listen(t, proxyproto.Options{Trusted: []string{"any"}})
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	defer func() { s.Close(); <-ended }()
	for range 3 {
		dial(t, ln)
	}
	nc := dial(t, ln, "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(res.Body); string(body) != "203.0.113.7:4711" {
		t.Errorf("the handler sees %q", body)
	}
}

func TestWrapErrors(t *testing.T) {
	for _, list := range [][]string{nil, {"10.0.0.0/33"}, {"localhost"}} {
		if _, err := proxyproto.Wrap(nil, proxyproto.Options{Trusted: list}); err == nil || !strings.HasPrefix(err.Error(), "option Trusted: ") {
			t.Errorf("%q: error %v", list, err)
		}
	}
}

type ending struct {
	net.Listener
	calls []string
}

func (e *ending) Shutdown(context.Context) error { e.calls = append(e.calls, "shutdown"); return nil }
func (e *ending) Reopen(context.Context) error   { e.calls = append(e.calls, "reopen"); return nil }
func (e *ending) Close() error                   { e.calls = append(e.calls, "close"); return nil }

func TestEndsAsTheWrappedOne(t *testing.T) {
	e := &ending{}
	ln, err := proxyproto.Wrap(e, proxyproto.Options{Trusted: []string{"any"}})
	if err != nil {
		t.Fatal(err)
	}
	ln.(interface{ Shutdown(context.Context) error }).Shutdown(t.Context())
	ln.(interface{ Reopen(context.Context) error }).Reopen(t.Context())
	ln.Close()
	if got := fmt.Sprint(e.calls); got != "[shutdown reopen close]" {
		t.Errorf("calls %s", got)
	}
}

func Example() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ln, err = proxyproto.Wrap(ln, proxyproto.Options{Trusted: []string{"127.0.0.0/8"}})
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	balancer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		panic(err)
	}
	defer balancer.Close()
	io.WriteString(balancer, "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\nhello\n")
	nc, err := ln.Accept()
	if err != nil {
		panic(err)
	}
	defer nc.Close()
	line, _ := bufio.NewReader(nc).ReadString('\n')
	fmt.Print(nc.RemoteAddr(), " says ", line)
	// Output: 203.0.113.7:4711 says hello
}
