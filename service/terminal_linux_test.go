// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service_test

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"unsafe"

	"github.com/mainstay-go/mainstay/service"
)

// openTerminal makes a pseudo terminal and returns both sides of it.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	var unlock, number uint32
	ioctl(t, master, syscall.TIOCSPTLCK, &unlock)
	ioctl(t, master, syscall.TIOCGPTN, &number)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

func ioctl(t *testing.T, f *os.File, request uintptr, arg *uint32) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var errno syscall.Errno
	raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(arg)))
	})
	if errno != 0 {
		t.Fatalf("ioctl %x: %v", request, errno)
	}
}

// withTerminal gives the program a controlling terminal.
func withTerminal(slave *os.File) func(*exec.Cmd) {
	return func(c *exec.Cmd) {
		c.Stdin = slave
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // its standard input
	}
}

func TestX10HangupWithATerminalReloads(t *testing.T) {
	_, slave := openTerminal(t)
	p := program(t, "talk", withArgs("-here"), withTerminal(slave))
	p.expect("ready")
	p.signal(syscall.SIGHUP)
	p.expect("reloaded 2")
	for _, sig := range []syscall.Signal{syscall.SIGTTIN, syscall.SIGTTOU} {
		p.signal(sig) // is the terminal's
	}
	p.signal(syscall.SIGHUP)
	p.expect("reloaded 3")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
	if p.count("not scaled") != 0 {
		t.Errorf("TTIN or TTOU of a terminal taken for a command:\n%s", p.output())
	}
}

func TestX10LosingTheTerminalStops(t *testing.T) {
	master, slave := openTerminal(t)
	p := program(t, "talk", withArgs("-here"), withTerminal(slave))
	p.expect("ready")
	slave.Close()
	master.Close() // the kernel sends the HUP
	p.exits(service.ExitOK)
	if p.count("terminal lost") == 0 || p.count("talker has ended") == 0 {
		t.Errorf("want a graceful stop for the lost terminal:\n%s", p.output())
	}
}

func TestX10LosingTheTerminalUnderNohupReloads(t *testing.T) {
	master, slave := openTerminal(t)
	p := program(t, "talk", withArgs("-here"), withTerminal(slave), throughShell(`trap "" HUP; exec "$@"`))
	p.expect("ready")
	slave.Close()
	master.Close()
	p.expect("reloaded 2")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
}

// A key on the terminal reaches the whole foreground group: Ctrl-C is an INT.
func TestX10InterruptFromTheTerminal(t *testing.T) {
	master, slave := openTerminal(t)
	p := program(t, "talk", withTerminal(slave))
	p.expect("ready")
	if _, err := master.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	p.expect("interrupted")
	p.exits(service.ExitFailed)
}

// As the first process of a container a program has no default actions: what is not caught is lost.
func TestX10FirstProcessOfAContainer(t *testing.T) {
	inContainer := func(c *exec.Cmd) { c.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID }
	try := exec.Command("/bin/true")
	try.SysProcAttr = &syscall.SysProcAttr{}
	inContainer(try)
	if err := try.Run(); err != nil {
		t.Skipf("a PID namespace, which root may make where it is not forbidden: %v", err)
	}
	p := program(t, "talk", inContainer)
	p.expect("pid=1")
	p.signal(syscall.SIGHUP)
	p.expect("reloaded 2")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
	p.silent()
}
