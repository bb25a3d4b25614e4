// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package systemd_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/systemd"
)

// patience bounds what must happen but has no time of its own.
const patience = 20 * time.Second

// manager binds a notify socket, points $NOTIFY_SOCKET at it and returns a function that reads the
// next datagram.
func manager(t *testing.T, addr string) func() string {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		t.Skipf("no datagram sockets here: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", addr)
	return func() string {
		t.Helper()
		buf := make([]byte, 4096)
		conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("read datagram: %v", err)
		}
		return string(buf[:n])
	}
}

func socketPath(t *testing.T) string { return filepath.Join(t.TempDir(), "n") }

func abstractName(t *testing.T) string {
	if runtime.GOOS != "linux" {
		t.Skip("abstract sockets are a thing of Linux")
	}
	return fmt.Sprintf("@mainstay-test-%d-%d", os.Getpid(), time.Now().UnixNano())
}

func TestSD01AbstractSocket(t *testing.T) {
	next := manager(t, abstractName(t))
	if err := systemd.Notify(systemd.Ready); err != nil {
		t.Fatalf("Notify: %v", err)
	}
	if got := next(); got != "READY=1" {
		t.Errorf("datagram = %q, want READY=1", got)
	}
}

func TestSD02NotifySendsReadyAndClosesItsSocket(t *testing.T) {
	next := manager(t, socketPath(t))
	before := openFiles(t)
	for range 10 {
		if err := systemd.Notify(systemd.Ready); err != nil {
			t.Fatalf("Notify: %v", err)
		}
		if got := next(); got != "READY=1" {
			t.Errorf("datagram = %q, want READY=1", got)
		}
	}
	// The runtime may open descriptors of its own meanwhile, hence the ten.
	if after := openFiles(t); after >= before+10 {
		t.Errorf("open descriptors: %d before ten messages, %d after", before, after)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return len(entries)
}

func TestSD03NotifyOnceUnsetsTheVariable(t *testing.T) {
	next := manager(t, socketPath(t))
	if err := systemd.NotifyOnce(systemd.Ready); err != nil {
		t.Fatalf("NotifyOnce: %v", err)
	}
	if got := next(); got != "READY=1" {
		t.Errorf("datagram = %q, want READY=1", got)
	}
	if v, ok := os.LookupEnv("NOTIFY_SOCKET"); ok {
		t.Errorf("NOTIFY_SOCKET = %q after success, want it unset", v)
	}
}

func TestSD03NotifyOnceKeepsTheVariableAfterFailure(t *testing.T) {
	addr := socketPath(t) // nobody bound it
	t.Setenv("NOTIFY_SOCKET", addr)
	err := systemd.NotifyOnce(systemd.Ready)
	if err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("NotifyOnce = %v, want an error that names %s", err, addr)
	}
	if got := os.Getenv("NOTIFY_SOCKET"); got != addr {
		t.Errorf("NOTIFY_SOCKET = %q after failure, want %q", got, addr)
	}
}

func TestSD04OnReady(t *testing.T) {
	tests := map[string]struct {
		send []string
		want systemd.Answer
		exit int
	}{
		"ready":                       {[]string{"READY=1"}, systemd.AnswerReady, 0},
		"another message":             {[]string{"STOPPING=1"}, systemd.AnswerOther, 1},
		"ready with something beside": {[]string{"READY=1", "STATUS=x"}, systemd.AnswerOther, 1},
		"a long message":              {[]string{strings.Repeat("x", 4000)}, systemd.AnswerOther, 1},
		"nothing in time":             {nil, systemd.AnswerTimeout, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, addr := range []string{socketPath(t), abstractName(t)} {
				t.Setenv("NOTIFY_SOCKET", addr)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if test.send == nil {
					cancel()
				} else {
					go func() {
						for systemd.Notify(test.send...) != nil && ctx.Err() == nil {
							runtime.Gosched() // not bound yet
						}
					}()
				}
				got, err := systemd.OnReady(ctx, addr)
				if got != test.want || int(got) != test.exit || err != nil {
					t.Errorf("OnReady(%q) = %v, %v, want %v", addr, got, err, test.want)
				}
				if _, err := os.Stat(addr); err == nil {
					t.Errorf("%s is left behind", addr)
				}
			}
		})
	}
}

func TestOnReadyNamesAnAddressItCannotBind(t *testing.T) {
	addr := filepath.Join(t.TempDir(), "absent", "n")
	if _, err := systemd.OnReady(t.Context(), addr); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("OnReady = %v, want an error that names %s", err, addr)
	}
}

func TestNotifyWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	for name, err := range map[string]error{
		"Notify":     systemd.Notify(systemd.Ready),
		"NotifyOnce": systemd.NotifyOnce(systemd.Ready),
		"Reloading":  systemd.Reloading(),
		"Stopping":   systemd.Stopping(),
		"Status":     systemd.Status("serving"),
	} {
		if err != nil {
			t.Errorf("%s without NOTIFY_SOCKET = %v, want nil", name, err)
		}
	}
}

func TestNotifyRefusesOtherAddresses(t *testing.T) {
	for _, addr := range []string{"vsock:2:1234", "relative/path", "/" + strings.Repeat("x", 200)} {
		t.Setenv("NOTIFY_SOCKET", addr)
		if err := systemd.Notify(systemd.Ready); err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("Notify to %q = %v, want an error that names it", addr, err)
		}
	}
}

func TestReloadingCarriesItsTimeInOneDatagram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("systemd's clock is that of Linux")
	}
	next := manager(t, socketPath(t))
	before, _ := systemd.Monotonic()
	if err := systemd.Reloading(); err != nil {
		t.Fatalf("Reloading: %v", err)
	}
	after, _ := systemd.Monotonic()
	first, second, _ := strings.Cut(next(), "\n")
	if first != "RELOADING=1" {
		t.Errorf("first line = %q, want RELOADING=1", first)
	}
	digits, ok := strings.CutPrefix(second, "MONOTONIC_USEC=")
	usec, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || usec < before || usec > after || before == 0 {
		t.Errorf("second line = %q, want MONOTONIC_USEC of %d to %d", second, before, after)
	}
}

func TestStoppingAndStatus(t *testing.T) {
	next := manager(t, socketPath(t))
	if err := systemd.Stopping(); err != nil {
		t.Fatalf("Stopping: %v", err)
	}
	if got := next(); got != "STOPPING=1" {
		t.Errorf("Stopping sent %q", got)
	}
	if err := systemd.Status("2 workers\nSTOPPING=1\r\nready"); err != nil {
		t.Fatalf("Status: %v", err)
	}
	if got := next(); got != "STATUS=2 workers STOPPING=1 ready" {
		t.Errorf("Status sent %q, want one line", got)
	}
}

func TestNotifyToAManagerThatDoesNotReadEnds(t *testing.T) {
	addr := socketPath(t)
	manager(t, addr)
	for range 100_000 {
		err := systemd.Send(addr, "STATUS=more", 10*time.Millisecond)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil && runtime.GOOS == "linux" {
			t.Fatalf("send = %v, want deadline exceeded", err)
		}
		if err != nil {
			return // other systems say that there is no room
		}
	}
	t.Error("100,000 messages went to a manager that reads none")
}
