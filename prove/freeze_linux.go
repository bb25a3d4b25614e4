// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// freeze stops a process and returns a function that says whether it holds a TCP connection to an
// address, which is our end. Stopped, it can accept no more; it stays so, to be killed. Where the process may
// not be looked into, it goes on and there is an error.
func freeze(pid int) (func(netip.AddrPort) bool, error) {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return nil, err
	}
	err := awaitStopped(pid)
	var peers map[netip.AddrPort]bool
	if err == nil {
		peers, err = peersOf(pid)
	}
	if err != nil {
		syscall.Kill(pid, syscall.SIGCONT)
		return nil, err
	}
	return func(addr netip.AddrPort) bool {
		return peers[netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())]
	}, nil
}

// awaitStopped waits until every thread of a process is stopped: until then it may accept.
func awaitStopped(pid int) error {
	for deadline := time.Now().Add(time.Second); ; time.Sleep(100 * time.Microsecond) {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		running := err != nil || len(tasks) == 0
		for _, task := range tasks {
			stat, err := os.ReadFile(task)
			// Behind the name, which is in parentheses and may have some itself.
			running = running || err == nil && !bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T"))
		}
		if !running {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d does not stop", pid)
		}
	}
}

// peersOf returns the remote addresses of the TCP connections of a process.
func peersOf(pid int) (map[netip.AddrPort]bool, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	inodes := map[string]bool{}
	for _, e := range entries {
		link, _ := os.Readlink(filepath.Join(dir, e.Name())) // of one closed meanwhile: empty
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	peers := map[netip.AddrPort]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) < 10 || !inodes[f[9]] {
				continue
			}
			if addr, ok := parseHex(f[2]); ok {
				peers[addr] = true
			}
		}
	}
	return peers, nil
}

// parseHex reads an address as /proc/net/tcp writes it: words of 32 bits in the machine's order, and
// the port.
func parseHex(text string) (netip.AddrPort, bool) {
	ip, port, ok := strings.Cut(text, ":")
	p, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || len(ip)%8 != 0 {
		return netip.AddrPort{}, false
	}
	var b []byte
	for ; ip != ""; ip = ip[8:] {
		word, err := strconv.ParseUint(ip[:8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, false
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(word))
	}
	addr, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(p)), ok
}
