// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package service_test

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/service"
)

func TestSVC01AServiceStartsAndServes(t *testing.T) {
	p := program(t, "talk")
	p.expect("talker starts")
	p.expect("talker serves generation 1")
	p.alive()
}

func TestSVC05AServiceThatDoesNotStartEndsTheProgramWith1(t *testing.T) {
	p := program(t, "talk", withArgs("-fail", "start"))
	p.expect("start talker: broken")
	p.exits(service.ExitFailed)
}

func TestAServiceThatFailsEndsTheProgramWith1(t *testing.T) {
	p := program(t, "talk", withArgs("-fail", "serve"))
	p.expect("serve talker: broken")
	p.exits(service.ExitFailed)
}

func TestSVC08HangupMakesTheServiceReadyAgain(t *testing.T) {
	p := program(t, "talk")
	p.expect("ready")
	for generation := 2; generation <= 3; generation++ {
		p.signal(syscall.SIGHUP)
		p.expect("talker drains: replace")
		p.expect("talker has ended")
		p.expectAll(fmt.Sprintf("talker serves generation %d", generation), fmt.Sprintf("reloaded %d", generation))
	}
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
}

func TestHangupMutates(t *testing.T) {
	p := program(t, "talk", withArgs("-restart", "mutate"))
	p.expect("ready")
	p.signal(syscall.SIGHUP)
	p.expect("talker is reset")
	p.expect("reloaded 2")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
	if p.count("talker starts") != 1 {
		t.Errorf("started again:\n%s", p.output())
	}
}

// SVC-09 asks for exit code 0 after TERM, THS-01 and THS-03 for one stop of the service.
func TestSVC09AndTHS01And03TermStopsOnceAndExits0(t *testing.T) {
	p := program(t, "talk")
	p.expect("ready")
	p.signal(syscall.SIGTERM)
	p.expect("talker drains: stop")
	p.expect("talker has ended")
	p.exits(service.ExitOK)
	p.silent()
	if p.count("talker drains") != 1 || p.count("stopping") == 0 {
		t.Errorf("want one stop:\n%s", p.output())
	}
}

// Upstream ignores a second TERM; here it does not wait.
func TestTHS04ASecondTermForces(t *testing.T) {
	p := program(t, "talk", withArgs("-drain", "1h", "-timeout", "1h"))
	p.expect("ready")
	p.signal(syscall.SIGTERM)
	p.expect("talker drains: stop")
	time.Sleep(2 * service.TermEcho) // sooner it would be taken for the first
	p.signal(syscall.SIGTERM)
	p.expect("talker is cancelled")
	p.expect("interrupted; shutdown timeout: cut talker")
	p.exits(service.ExitCut)
}

func TestTHS07SignalsAreLeftAloneIfTheOptionsSaySo(t *testing.T) {
	p := program(t, "talk", withArgs("-ignore"))
	p.expect("ready")
	p.signal(syscall.SIGTERM)
	p.exits(128 + int(syscall.SIGTERM))
}

func TestSecondLauncherThatOwnsSignalsIsRefused(t *testing.T) {
	p := program(t, "talk", withArgs("-second"))
	p.expect(`serve second: signals of this process belong to launcher "talk" already`)
	p.exits(service.ExitFailed)
}

func TestSVC28HangupsDoNotEndTheLauncherAndTermDoes(t *testing.T) {
	p := program(t, "talk", withArgs("-here"))
	p.expect("ready")
	p.signal(syscall.SIGHUP)
	p.signal(syscall.SIGHUP)
	p.expect("reloaded 2")
	p.alive()
	p.signal(syscall.SIGTERM)
	p.expect("stopping")
	p.exits(service.ExitOK)
}

func TestSVC29AGracefulStopLetsATaskFinish(t *testing.T) {
	p := program(t, "talk", withArgs("-drain", "200ms"))
	p.expect("ready")
	p.signal(syscall.SIGTERM)
	p.expect("talker has ended")
	p.exits(service.ExitOK)
}

func TestSVC30AnImmediateStopDoesNot(t *testing.T) {
	p := program(t, "talk", withArgs("-drain", "200ms"))
	p.expect("ready")
	p.signal(syscall.SIGINT)
	p.expect("talker is cancelled")
	p.expect("interrupted")
	p.exits(service.ExitFailed)
	if p.count("talker drains")+p.count("talker has ended") != 0 {
		t.Errorf("drained:\n%s", p.output())
	}
}

func TestInterruptEndsADrainAndAReload(t *testing.T) {
	for _, first := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		p := program(t, "talk", withArgs("-here", "-drain", "1h", "-timeout", "1h"))
		p.expect("ready")
		p.signal(first)
		p.expect("talker drains")
		p.signal(syscall.SIGINT)
		p.expect("interrupted")
		p.exits(service.ExitFailed)
	}
}

func TestUser1OpensLogFilesAnew(t *testing.T) {
	p := program(t, "talk")
	p.expect("ready")
	p.signal(syscall.SIGUSR1)
	p.expect("log files opened")
}

func TestUser2Reports(t *testing.T) {
	p := program(t, "talk")
	p.expect("ready")
	p.signal(syscall.SIGUSR2)
	p.expect(fmt.Sprintf("pid %d", p.pid()))
	p.expect("state running, generation 1")
	p.expect("service talker: running")
	p.expect("service_test.(*talker).Serve")
	p.expect("end of report")
	p.signal(syscall.SIGTERM)
	p.exits(service.ExitOK)
}

func TestMoreAndFewerWorkersAreRefusedByName(t *testing.T) {
	p := program(t, "talk")
	p.expect("ready")
	for _, sig := range []syscall.Signal{syscall.SIGTTIN, syscall.SIGTTOU} {
		p.signal(sig)
		p.expect("talk runs its services in one process and cannot be scaled")
	}
	p.alive()
}

func TestX02AServiceThatIgnoresItsEndDoesNotKeepTheProgram(t *testing.T) {
	p := program(t, "talk", withArgs("-drain", "1h", "-timeout", "50ms", "-deaf"))
	p.expect("ready")
	p.signal(syscall.SIGTERM)
	p.expect("talker is cancelled")
	p.expect("shutdown timeout: cut talker: still running talker")
	p.exits(service.ExitCut)
	p.silent()
}

// manager is a service manager as systemd is one: it reads what it is told.
func manager(t *testing.T) (told func() string, address string) {
	t.Helper()
	address = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func() string {
		t.Helper()
		conn.SetReadDeadline(time.Now().Add(patience))
		buf := make([]byte, 512)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(string(buf[:n]), "\n")
		return text
	}, address
}

func TestManagerIsTold(t *testing.T) {
	told, address := manager(t)
	p := program(t, "talk", withArgs("-here"), withEnv("NOTIFY_SOCKET="+address))
	want := func(text string) {
		t.Helper()
		if got := told(); got != text {
			t.Errorf("told %q, want %q", got, text)
		}
	}
	want("READY=1")
	p.expect("talker serves")
	p.signal(syscall.SIGHUP)
	want("RELOADING=1")
	want("READY=1")
	p.signal(syscall.SIGTERM)
	want("STOPPING=1")
	p.exits(service.ExitOK)
}

// X-11 for one process: a program that cannot start is never ready, nor is one whose signals are
// somebody else's to speak for.
func TestX11ManagerIsNotTold(t *testing.T) {
	for _, args := range [][]string{{"-fail", "start"}, {"-ignore"}} {
		told, address := manager(t)
		p := program(t, "talk", withArgs(args...), withEnv("NOTIFY_SOCKET="+address))
		if args[0] == "-ignore" {
			p.expect("ready")
			p.signal(syscall.SIGTERM)
		}
		p.code()
		conn, err := net.Dial("unixgram", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte("nothing before"))
		conn.Close()
		if got := told(); strings.HasPrefix(got, "READY") {
			t.Errorf("%q: told %q", args, got)
		}
	}
}
