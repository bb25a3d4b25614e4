// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

const (
	soAttachReusePortCBPF = 51 // SO_ATTACH_REUSEPORT_CBPF, which package syscall lacks

	loadRandom = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM: a load from there is a random number

	// maxGaps bounds a program: the kernel takes 4096 instructions.
	maxGaps = 2046
)

// program chooses at random among the members of a group that are open, by their order in the
// kernel: a number below how many there are, moved on over each gap at or below it. Nothing of the
// packet goes into it, as its hash may be 0. Nil is for a group without gaps, or with nothing else.
func program(open []bool) []syscall.SockFilter {
	n := 0
	for _, ok := range open {
		if ok {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	insns := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS, K: loadRandom},
		{Code: syscall.BPF_ALU | bpfMod | syscall.BPF_K, K: uint32(n)},
	}
	gaps := 0
	for i := 0; i < len(open) && gaps < maxGaps; i++ {
		if open[i] {
			continue
		}
		start := i
		for i+1 < len(open) && !open[i+1] {
			i++
		}
		gaps++
		insns = append(insns,
			syscall.SockFilter{Code: syscall.BPF_JMP | syscall.BPF_JGE | syscall.BPF_K, Jf: 1, K: uint32(start)},
			syscall.SockFilter{Code: syscall.BPF_ALU | syscall.BPF_ADD | syscall.BPF_K, K: uint32(i + 1 - start)})
	}
	return append(insns, syscall.SockFilter{Code: syscall.BPF_RET | syscall.BPF_A})
}

const bpfMod = 0x90 // BPF_MOD, which package syscall lacks

// attach gives the group of fd the program that chooses the member for each new connection. An index
// that nobody has is the kernel's own choice among the members. It is syscall.EINVAL for a socket
// that never had another beside it.
func attach(fd int, insns []syscall.SockFilter) error {
	return load(fd, soAttachReusePortCBPF, insns)
}

// load gives a socket a program by the option that is for its kind.
func load(fd, option int, insns []syscall.SockFilter) error {
	prog := syscall.SockFprog{Len: uint16(len(insns)), Filter: &insns[0]}
	// The one call of package syscall that passes bytes as they are.
	raw := unsafe.String((*byte)(unsafe.Pointer(&prog)), unsafe.Sizeof(prog))
	err := syscall.SetsockoptString(fd, syscall.SOL_SOCKET, option, raw)
	runtime.KeepAlive(insns)
	runtime.KeepAlive(&prog)
	return os.NewSyscallError("setsockopt", err)
}

// steer sends new connections of fd's group to its member of that index.
func steer(fd int, index uint32) error {
	return attach(fd, []syscall.SockFilter{{Code: syscall.BPF_RET | syscall.BPF_K, K: index}})
}
