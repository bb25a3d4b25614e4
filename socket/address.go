// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxPath is the longest name that the kernel takes for a unix socket.
const maxPath = 107

// ParseAddress reads an address as commands and configuration files spell it, into the two strings
// that [Listen] and net.Dial take:
//
//	HOST:PORT  [::1]:PORT  :PORT  unix:/PATH  unix:@NAME
//
// The port is a number, 0 for any free one; no host is every address of this machine. The error is
// one line with s and what was expected. Nothing is looked up.
func ParseAddress(s string) (network, address string, err error) {
	if name, ok := strings.CutPrefix(s, "unix:"); ok {
		network, address, err = "unix", name, checkUnix(name)
	} else {
		network, address, err = "tcp", s, checkTCP(s)
	}
	if err != nil {
		return "", "", fmt.Errorf("address %q: %w", s, err)
	}
	return network, address, nil
}

func checkUnix(name string) error {
	switch {
	case name == "" || name == "@" || name[0] != '/' && name[0] != '@':
		return errors.New("want unix:/PATH or unix:@NAME")
	case len(name) > maxPath:
		return fmt.Errorf("the name is %d bytes long: the kernel takes at most %d", len(name), maxPath)
	case strings.IndexByte(name, 0) >= 0:
		return errors.New("zero byte in the name")
	}
	return nil
}

func checkTCP(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("want HOST:PORT, [::1]:PORT, :PORT, unix:/PATH or unix:@NAME")
	}
	if !isPort(port) {
		return fmt.Errorf("port %q: want a number from 0 to 65535", port)
	}
	switch {
	case s[0] == '[':
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() || strings.ContainsFunc(ip.Zone(), notInHost) {
			return fmt.Errorf("host %q: want an IPv6 address in brackets", host)
		}
	case strings.ContainsFunc(host, notInHost):
		return fmt.Errorf("host %q: want a name or an address", host)
	}
	return nil
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// notInHost reports what is in no host name; underscores are, in practice.
func notInHost(r rune) bool {
	return r > 'z' || !strings.ContainsRune("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._", r)
}
