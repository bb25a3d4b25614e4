// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Linux's numbers that package syscall lacks on some architectures.
const (
	ipMinTTL        = 21
	ipv6MinHopCount = 73
)

// A Gate keeps new connections from a listener while its queue is emptied for the last time.
//
// Over TCP their first packets are dropped, so the peer tries again a second later and is refused
// then, when the listener is closed; a handshake under way completes. Of the abstract unix sockets,
// whose name cannot be taken away, it lets in one connection whenever the queue is empty, so that one
// may be lost, or two, when the socket is closed.
type Gate struct {
	open func(fd int) error // undoes it on a listener that goes on
	drop func()             // frees what it holds besides
}

// Shut puts a gate before the listener fd, which [Bind] made. There are three kinds for TCP; the
// first that can be had is taken:
//
//  1. A minimum time to live of 255 on the listener, which routers and Linux's own packets do not
//     have. It needs no privilege and no second socket. Connections that are made while it is there
//     inherit it: whoever accepts from the listener, in any process, must pass each to [Admit].
//     Peers one hop away that send packets of 255 come through.
//  2. A sink: a second socket in the group of the listener, with that minimum, and all new connections
//     steered to it. Only for a listener that is alone at its address.
//  3. A packet filter, which needs CAP_NET_ADMIN.
//
// The error is errors.ErrUnsupported for sockets that others made, who may serve on them after us,
// and for unix sockets with a file, for which there is [Socket.Hide].
//
// The spec is what [Bind] made fd for.
func Shut(fd int, spec Spec, alone bool) (*Gate, error) {
	if spec.Network == "unix" {
		return shutUnix(fd, spec)
	}
	var errs []error
	kinds := []func(fd int) (*Gate, error){shutTTL, shutSink, shutFilter}
	for i, shut := range kinds {
		if i == 1 && !alone {
			continue
		}
		g, err := shut(fd)
		if err == nil || errors.Is(err, errors.ErrUnsupported) {
			return g, err
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("gate: %w", errors.Join(errs...))
}

// Open takes the gate away from the listener fd, the one it was shut for: a stop was cancelled.
func (g *Gate) Open(fd int) error {
	err := g.open(fd)
	g.Drop()
	return err
}

// Drop frees the gate of a listener that has been closed.
func (g *Gate) Drop() {
	if g.drop != nil {
		g.drop()
	}
	g.drop = nil
}

// Admit undoes what the connection fd may have inherited from a gate before its listener. v6 says
// that it is one of IPv6, on the wire.
func Admit(fd int, v6 bool) {
	if v6 {
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, ipv6MinHopCount, 0)
		return
	}
	syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipMinTTL, 0)
}

// Ungate takes away a gate that a worker left before the socket when it ended.
func (s *Socket) Ungate() {
	if _, family, err := endpointOf(s.FD); err == nil && s.made {
		setMinTTL(s.FD, family, 0)
	}
}

func shutTTL(fd int) (*Gate, error) {
	_, family, err := endpointOf(fd)
	if err != nil {
		return nil, err
	}
	if err := setMinTTL(fd, family, 255); err != nil {
		setMinTTL(fd, family, 0)
		return nil, err
	}
	return &Gate{open: func(fd int) error { return setMinTTL(fd, family, 0) }}, nil
}

// setMinTTL sets the minimum for both families that the socket may be of: with that of IPv6 alone, a
// client comes through over IPv4.
func setMinTTL(fd, family, ttl int) error {
	err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipMinTTL, ttl)
	if err == nil && family == syscall.AF_INET6 {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, ipv6MinHopCount, ttl)
	}
	return os.NewSyscallError("setsockopt", err)
}

// shutSink makes the next member of the group of fd, deaf, and steers to it. The listener is member 0.
func shutSink(fd int) (*Gate, error) {
	_, family, err := endpointOf(fd)
	if err != nil {
		return nil, err
	}
	sink, err := beside(fd)
	if err != nil {
		return nil, err
	}
	err = setMinTTL(sink, family, 255)
	if err == nil {
		err = os.NewSyscallError("listen", syscall.Listen(sink, 1))
	}
	if err == nil {
		err = steer(fd, 1)
	}
	if err != nil {
		syscall.Close(sink)
		return nil, err
	}
	return &Gate{
		open: func(int) error { return nil },
		drop: func() { syscall.Close(sink) },
	}, nil
}

// shutFilter drops packets that ask for a connection: SYN without ACK.
func shutFilter(fd int) (*Gate, error) {
	if _, _, err := endpointOf(fd); err != nil {
		return nil, err
	}
	const tcpFlags, syn, synAck = 13, 0x02, 0x12
	err := load(fd, syscall.SO_ATTACH_FILTER, []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_B | syscall.BPF_ABS, K: tcpFlags},
		{Code: syscall.BPF_ALU | syscall.BPF_AND | syscall.BPF_K, K: synAck},
		{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, Jf: 1, K: syn},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0xffffffff},
	})
	if err != nil {
		return nil, err
	}
	return &Gate{open: func(fd int) error {
		return os.NewSyscallError("setsockopt", syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_DETACH_FILTER, 0))
	}}, nil
}

// shutUnix takes the queue of an abstract socket its length.
func shutUnix(fd int, spec Spec) (*Gate, error) {
	if spec.Address == "" || spec.Address[0] != '@' {
		return nil, fmt.Errorf("gate of a socket with a file: %w", errors.ErrUnsupported)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		return nil, fmt.Errorf("gate: %w", os.NewSyscallError("listen", err))
	}
	return &Gate{open: func(fd int) error { return listen(fd, spec.Backlog) }}, nil
}
