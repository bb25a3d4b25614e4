// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ProxyOptions are oslo.middleware's, for the group oslo_middleware, and one of ours. The zero value
// trusts nobody; the defaults are in the tags.
type ProxyOptions struct {
	EnableProxyHeadersParsing bool     `config:"enable_proxy_headers_parsing" default:"false" help:"Whether the application is behind a proxy or not. This determines if the middleware should parse the headers or not."`
	TrustedProxies            []string `config:"trusted_proxies" default:"private" help:"Proxies whose headers are believed: addresses, networks such as 192.0.2.0/24, private for loopback, private and link-local networks and unix sockets, any for all."`
}

// HTTPProxyToWSGI is oslo.middleware's: scheme, host, client and prefix are what the proxy saw, by
// RFC 7239's Forwarded, else by X-Forwarded-Proto, -Host and -For, and by X-Forwarded-Prefix. Handlers
// find them in the request's Host and RemoteAddr, and by Scheme and Prefix.
//
// Other than there, headers count only if the connection is from a trusted proxy, and of several
// elements the one counts that the outermost trusted proxy wrote: what came before it may be anybody's
// invention. Values that are not a scheme, a host or an address are ignored.
func HTTPProxyToWSGI(o ProxyOptions) (Filter, error) {
	trusted, err := ParseTrusted("trusted_proxies", o.TrustedProxies)
	if err != nil {
		return nil, err
	}
	if !o.EnableProxyHeadersParsing {
		return func(next http.Handler) http.Handler { return next }, nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !hasProxyHeaders(r.Header) || !trusted.Remote(r.RemoteAddr) {
				next.ServeHTTP(w, r)
				return
			}
			s, r := enter(r)
			r2 := *r
			s.proxied(&r2, trusted)
			next.ServeHTTP(w, &r2)
		})
	}, nil
}

func hasProxyHeaders(h http.Header) bool {
	return h["Forwarded"] != nil || h["X-Forwarded-Proto"] != nil || h["X-Forwarded-Host"] != nil ||
		h["X-Forwarded-For"] != nil || h["X-Forwarded-Prefix"] != nil
}

// proxied takes over what the headers say.
func (s *scope) proxied(r *http.Request, trusted Trusted) {
	var hop forwarded
	if values := r.Header["Forwarded"]; len(values) > 0 {
		var hops []forwarded
		for _, value := range values {
			more, ok := parseForwarded(value)
			if !ok {
				more = []forwarded{{}} // somebody who tells nothing; the lines behind it still count
			}
			hops = append(hops, more...)
		}
		hop = outermost(hops, trusted)
	} else {
		hop = forwarded{
			proto: r.Header.Get("X-Forwarded-Proto"),
			host:  r.Header.Get("X-Forwarded-Host"),
			node:  outermost(forwardedFor(r.Header["X-Forwarded-For"]), trusted).node,
		}
	}
	if proto := strings.ToLower(hop.proto); proto == "http" || proto == "https" {
		s.scheme = proto
	}
	if isHost(hop.host) {
		r.Host = hop.host
	}
	if addr, ok := nodeAddr(hop.node); ok {
		r.RemoteAddr = addr.String()
	}
	if prefix := r.Header.Get("X-Forwarded-Prefix"); isPrefix(prefix) {
		s.prefix = prefix + s.prefix
	}
}

// A forwarded is an element of Forwarded: what one proxy saw.
type forwarded struct{ proto, host, node string }

// parseForwarded reads the elements of a Forwarded header by RFC 7239; false if one breaks its
// grammar. Blanks around "=" and empty pairs are let through, as the original does.
func parseForwarded(header string) ([]forwarded, bool) {
	var hops []forwarded
	for header != "" {
		element, rest := cutOutside(header, ',')
		header = rest
		var hop forwarded
		for element != "" {
			pair, rest := cutOutside(element, ';')
			element = rest
			if pair = strings.Trim(pair, " \t"); pair == "" {
				continue
			}
			name, value, ok := strings.Cut(pair, "=")
			name, value = strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t")
			quoted := strings.HasPrefix(value, `"`)
			if ok && quoted {
				value, ok = unquote(value)
			}
			if !ok || !isToken(name) || !quoted && strings.Contains(value, `"`) {
				return nil, false
			}
			switch strings.ToLower(name) {
			case "proto":
				hop.proto = value
			case "host":
				hop.host = value
			case "for":
				hop.node = value
			}
		}
		hops = append(hops, hop)
	}
	return hops, true
}

// unquote reads a quoted string, all of text.
func unquote(text string) (string, bool) {
	if len(text) < 2 || text[0] != '"' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), i == len(text)-1
		case '\\':
			if i++; i == len(text) {
				return "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", false
}

// forwardedFor reads the elements of X-Forwarded-For.
func forwardedFor(values []string) []forwarded {
	var hops []forwarded
	for _, value := range values {
		for node := range strings.SplitSeq(value, ",") {
			hops = append(hops, forwarded{node: strings.TrimSpace(node)})
		}
	}
	return hops
}

// outermost returns the element that the outermost trusted proxy wrote: each proxy adds one at the end
// for whom it heard, so behind an element with a stranger the earlier ones are the stranger's.
func outermost(hops []forwarded, trusted Trusted) forwarded {
	if len(hops) == 0 {
		return forwarded{}
	}
	for i := len(hops) - 1; i > 0; i-- {
		addr, ok := nodeAddr(hops[i].node)
		if !ok || !trusted.Contains(addr.Addr()) {
			return hops[i]
		}
	}
	return hops[0]
}

// nodeAddr returns the address of a node, port 0 if it has none; false for "unknown" and names that
// hide one.
func nodeAddr(node string) (netip.AddrPort, bool) {
	if addr, err := netip.ParseAddr(strings.Trim(node, "[]")); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), 0), true
	}
	addr, err := netip.ParseAddrPort(node)
	return addr, err == nil
}

// isHost reports whether text can be a Host header: a name or address, with or without a port.
func isHost(text string) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"#%/<>?@\^`+"`{|}", c) >= 0 {
			return false
		}
	}
	return text != "" && len(text) <= 255+6
}

// isPrefix reports whether text can stand in front of paths.
func isPrefix(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"#<>?\`, c) >= 0 {
			return false
		}
	}
	return strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//")
}

// Trusted are the addresses whose word counts. Its zero value is none.
type Trusted struct {
	nets []netip.Prefix
	unix bool
}

// private are the networks of the word private.
var private = []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"}

// ParseTrusted reads a list of addresses, networks and the words private, any and unix. Its error
// begins with the name of the option.
func ParseTrusted(option string, list []string) (Trusted, error) {
	var t Trusted
	for _, text := range list {
		switch text {
		case "private":
			t.unix = true
			for _, network := range private {
				t.nets = append(t.nets, netip.MustParsePrefix(network))
			}
			continue
		case "any":
			t.unix = true
			t.nets = append(t.nets, netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"))
			continue
		case "unix":
			t.unix = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if addr, aerr := netip.ParseAddr(text); aerr == nil {
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return Trusted{}, fmt.Errorf("%s: %q is not an address, a network such as 192.0.2.0/24, or private, any or unix", option, text)
		}
		t.nets = append(t.nets, network.Masked())
	}
	return t, nil
}

// Contains reports whether addr is one of them.
func (t Trusted) Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(t.nets, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// Remote does that for the RemoteAddr of a request; one of a unix socket has no address in it.
func (t Trusted) Remote(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return t.unix && (remote == "" || remote[0] == '@' || remote[0] == '/')
	}
	return t.Contains(addr.Addr())
}

// Conn does that for the peer of a connection.
func (t Trusted) Conn(addr net.Addr) bool {
	switch addr := addr.(type) {
	case *net.TCPAddr:
		return t.Contains(addr.AddrPort().Addr())
	case *net.UnixAddr:
		return t.unix
	}
	return false
}
