// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// soReusePort is SO_REUSEPORT, which package syscall lacks on some architectures.
var soReusePort = func() int {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return 0x200
	}
	return 15
}()

func open(ctx context.Context, spec Spec) (*Socket, error) {
	if spec.Network == "unix" {
		return openUnix(spec)
	}
	where, err := resolve(ctx, spec.Network, spec.Address)
	if err != nil {
		return nil, err
	}
	fd, err := listenTCP(where, spec.Backlog)
	if where.dual && (errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)) {
		where = endpoint{at: netip.AddrPortFrom(netip.IPv4Unspecified(), where.at.Port())}
		fd, err = listenTCP(where, spec.Backlog)
	}
	if err != nil {
		return nil, err
	}
	addr, err := localAddr(fd)
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return &Socket{FD: fd, Spec: spec, Addr: addr, made: true}, nil
}

// An endpoint is where a TCP socket is bound.
type endpoint struct {
	at   netip.AddrPort
	dual bool // IPv4 too, on an IPv6 socket; IPv4 alone where IPv6 is off
}

// resolve turns HOST:PORT into an endpoint. Of several addresses of a host it takes one, IPv4 first,
// as package net does.
func resolve(ctx context.Context, network, address string) (endpoint, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return endpoint{}, errors.New("want HOST:PORT, [::1]:PORT or :PORT")
	}
	port, err := net.DefaultResolver.LookupPort(ctx, network, service)
	if err != nil {
		return endpoint{}, fmt.Errorf("port %q: want 0 to 65535 or the name of a service", service)
	}
	if host == "" {
		host = "::"
		if network == "tcp4" {
			host = "0.0.0.0"
		}
	}
	ip, err := lookup(ctx, network, host)
	if err != nil {
		return endpoint{}, err
	}
	return endpoint{
		at:   netip.AddrPortFrom(ip, uint16(port)),
		dual: network == "tcp" && ip == netip.IPv6Unspecified(),
	}, nil
}

// lookup returns the address of host in the family of network.
func lookup(ctx context.Context, network, host string) (netip.Addr, error) {
	fits := func(ip netip.Addr) bool {
		return network == "tcp" || (network == "tcp4") == ip.Is4()
	}
	ips := make([]netip.Addr, 1)
	var err error
	if ips[0], err = netip.ParseAddr(host); err != nil {
		if ips, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			if e, ok := errors.AsType[*net.DNSError](err); ok {
				return netip.Addr{}, fmt.Errorf("host %q: %s", host, e.Err)
			}
			return netip.Addr{}, fmt.Errorf("host %q: %w", host, err)
		}
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	ips = slices.DeleteFunc(ips, func(ip netip.Addr) bool { return !fits(ip) })
	if len(ips) == 0 {
		return netip.Addr{}, fmt.Errorf("host %q has no address for %s", host, network)
	}
	if i := slices.IndexFunc(ips, netip.Addr.Is4); i >= 0 {
		return ips[i], nil
	}
	return ips[0], nil
}

// listenTCP returns a listening descriptor.
//
// SO_REUSEPORT is set after listen, not between bind and listen: with it set before, two programs
// that start in the same moment both get through, as each binds while the other does not listen yet
// (SO_REUSEADDR allows that) and then both listen as a group. The kernel lets later sockets join a
// listener that got the option afterwards all the same.
func listenTCP(where endpoint, backlog int) (int, error) {
	family, sa, err := sockaddr(where.at)
	if err != nil {
		return -1, err
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	if err == nil && family == syscall.AF_INET6 {
		only := 1
		if where.dual {
			only = 0
		}
		err = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, only))
	}
	if err == nil {
		err = os.NewSyscallError("bind", syscall.Bind(fd, sa))
	}
	if err == nil {
		err = listen(fd, backlog)
	}
	if err == nil {
		err = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 1))
	}
	if err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

// listen starts the accept queue; the kernel cuts the backlog to somaxconn.
func listen(fd, backlog int) error {
	if backlog == 0 {
		backlog = math.MaxInt32
	}
	return os.NewSyscallError("listen", syscall.Listen(fd, backlog))
}

// sockaddr returns the address family of at and its form for the kernel.
func sockaddr(at netip.AddrPort) (int, syscall.Sockaddr, error) {
	if at.Addr().Is4() {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}, nil
	}
	sa := &syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	if zone := at.Addr().Zone(); zone != "" {
		if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			sa.ZoneId = uint32(n)
		} else if ifi, err := net.InterfaceByName(zone); err == nil {
			sa.ZoneId = uint32(ifi.Index)
		} else {
			return 0, nil, fmt.Errorf("no network interface %q", zone)
		}
	}
	return syscall.AF_INET6, sa, nil
}
