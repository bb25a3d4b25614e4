// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/memfd"
	"github.com/mainstay-go/mainstay/logging"
)

// limitOfWait bounds every wait for something that takes milliseconds on an idle machine.
const limitOfWait = 30 * time.Second

// A daemon stands for a log daemon: a socket for datagrams.
type daemon struct {
	*net.UnixConn
	path string
}

func listen(t *testing.T, path string) *daemon {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &daemon{conn, path}
}

// next returns the next datagram, or what the file has that was passed with an empty one.
func (d *daemon) next(t *testing.T) string {
	t.Helper()
	d.SetReadDeadline(time.Now().Add(limitOfWait))
	buf, oob := make([]byte, 1<<18), make([]byte, 64)
	n, oobn, _, _, err := d.ReadMsgUnix(buf, oob)
	if err != nil {
		t.Fatal(err)
	}
	if oobn == 0 {
		return string(buf[:n])
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		t.Fatal(err)
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 || n != 0 {
		t.Fatalf("got descriptors %v with %d bytes, %v", fds, n, err)
	}
	defer syscall.Close(fds[0])
	data, err := memfd.Read(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// stop ends the daemon; listen may start another in its place.
func (d *daemon) stop() {
	d.Close()
	os.Remove(d.path)
}

func TestSyslog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := listen(t, path)
	o := logging.Options{UseSyslog: true, SyslogFacility: "local3", DefaultFormat: "%(levelname)s%(name).0s %(message)s", ExceptionPrefix: "| "}
	l, err := logging.NewAt(o, logging.Process{Program: "prog"}, "", filepath.Join(t.TempDir(), "none"), path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx := context.Background()
	tag := fmt.Sprintf(">Nov 22 07:52:01 prog[%d]: ", os.Getpid())
	for level, priority := range map[int]int{12: 2, 8: 3, 4: 4, 0: 6} {
		logAt(l.Logger(), ctx, levelOf(level), "x")
		if got := d.next(t); !strings.HasPrefix(got, fmt.Sprintf("<%d%s", 19*8+priority, tag)) || !strings.HasSuffix(got, " x") {
			t.Errorf("level %d: %q", level, got)
		}
	}
	logAt(l.Logger(), ctx, levelOf(8), "x\ny", "stack", "s")
	for _, want := range []string{"ERROR x", "ERROR y", "| s"} {
		if got := d.next(t); !strings.HasSuffix(got, tag+want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	long := strings.Repeat("ü", 10_000)
	logAt(l.Logger(), ctx, 0, long)
	var got string
	for range 3 {
		_, piece, _ := strings.Cut(d.next(t), "]: ")
		got += piece
	}
	if got != "INFO "+long {
		t.Errorf("a long line came as %d bytes, want %d", len(got), len(long)+5)
	}
}

func levelOf(n int) slog.Level { return slog.Level(n) }

func TestSyslogRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := listen(t, path)
	var stderr bytes.Buffer
	o := logging.Options{UseSyslog: true, DefaultFormat: short}
	l, err := logging.NewAt(o, logging.Process{Program: "prog", Stderr: &stderr}, "", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d.stop()
	d = listen(t, path)
	l.Logger().Info("one") // the old socket is dead: there is no wait and no loss
	if got := d.next(t); !strings.HasSuffix(got, ": one") {
		t.Errorf("got %q", got)
	}
	d.stop()
	for range 100 {
		l.Logger().Info("two")
	}
	if n := l.Lost(); n != 100 {
		t.Errorf("Lost() = %d, want 100", n)
	}
	d = listen(t, path)
	if err := l.Reopen(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("three")
	for _, want := range []string{": three", ": log lines were lost count=100 option=use_syslog"} {
		if got := d.next(t); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if n := strings.Count(stderr.String(), "\n"); n != 1 {
		t.Errorf("standard error has %d lines: %s", n, stderr.String())
	}
}

// A daemon that takes nothing costs a second, once.
func TestSyslogStalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	d := listen(t, path)
	var stderr bytes.Buffer
	l, err := logging.NewAt(logging.Options{UseSyslog: true, DefaultFormat: short}, logging.Process{Program: "prog", Stderr: &stderr}, "", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	begin := time.Now()
	sent := 0
	for ; l.Lost() < 50; sent++ {
		l.Logger().Info("x", "n", sent)
	}
	if took := time.Since(begin); took < time.Second || took > limitOfWait {
		t.Errorf("50 lines that nobody takes took %v, want a second and a little", took)
	}
	for range sent - 50 {
		d.next(t)
	}
	l.Logger().Info("y")
	if got := d.next(t); !strings.HasSuffix(got, ": y") {
		t.Errorf("got %q, want the line after it", got)
	}
	if got := d.next(t); !strings.Contains(got, "log lines were lost count=50") {
		t.Errorf("got %q, want the number of lines", got)
	}
}

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	d := listen(t, path)
	o := logging.Options{UseJournal: true, SyslogFacility: "LOG_DAEMON", DefaultFormat: "%(name)s: %(message)s", ContextFormat: "%(name)s: %(message)s"}
	l, err := logging.NewAt(o, logging.Process{Program: "prog", Worker: func() string { return "api 0" }}, path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx := logging.WithRequest(context.Background(), logging.Request{ID: "req-1", User: "u", ProjectName: "pn"})
	logging.Named(l.Logger(), "amqp").WarnContext(ctx, "x\ny", "a", 1, "stack", "s1\ns2")
	got := fields(t, d.next(t))
	for name, want := range map[string]string{
		"PRIORITY": "4", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "prog", "SYSLOG_PID": fmt.Sprint(os.Getpid()),
		"LOGGER_NAME": "amqp", "LOGGER_LEVEL": "WARNING", "PROCESS_NAME": "prog api 0", "WORKER": "api 0", "THREAD_NAME": "MainThread",
		"CODE_FUNC": "logging_test.TestJournal", "EXCEPTION_TEXT": "s1\ns2", "EXCEPTION_INFO": "s1\ns2",
		"REQUEST_ID": "req-1", "USER_ID": "u", "PROJECT_NAME": "pn",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if m := got["MESSAGE"]; !strings.HasPrefix(m, "amqp: x a=1 program=prog worker=\"api 0\"\namqp: y\n") {
		t.Errorf("MESSAGE is %q", m)
	}
	if !strings.HasSuffix(got["CODE_FILE"], "daemons_linux_test.go") || got["CODE_LINE"] == "" {
		t.Errorf("the place is %s:%s", got["CODE_FILE"], got["CODE_LINE"])
	}
	// Too large for any datagram: passed as a file.
	large := strings.Repeat("x", 4<<20)
	l.Logger().Info(large)
	if m := fields(t, d.next(t))["MESSAGE"]; !strings.HasPrefix(m, "prog: "+large) {
		t.Errorf("a large MESSAGE has %d bytes", len(m))
	}
	if n := l.Lost(); n != 0 {
		t.Errorf("%d lines lost", n)
	}
}

func TestJournalRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	d := listen(t, path)
	var stderr bytes.Buffer
	l, err := logging.NewAt(logging.Options{UseJournal: true, DefaultFormat: short}, logging.Process{Program: "prog", Stderr: &stderr}, path)
	if err != nil {
		t.Fatal(err)
	}
	d.stop()
	if err := l.Reopen(context.Background()); err == nil || !strings.HasPrefix(err.Error(), "use_journal: ") {
		t.Errorf("Reopen without a journal = %v", err)
	}
	l.Logger().Info("one")
	d = listen(t, path)
	if err := l.Reopen(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("two")
	for _, want := range []string{"two", "log lines were lost count=1 option=use_journal"} {
		if got := fields(t, d.next(t))["MESSAGE"]; !strings.HasPrefix(got, want) {
			t.Errorf("MESSAGE is %q, want %q", got, want)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Reopen(context.Background()); err != nil {
		t.Error(err)
	}
}

// fields reads the journal's protocol.
func fields(t *testing.T, data string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for data != "" {
		line, rest, _ := strings.Cut(data, "\n")
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			n := binary.LittleEndian.Uint64([]byte(rest[:8]))
			value, rest = rest[8:8+n], rest[8+n+1:]
		}
		if _, twice := m[name]; twice {
			t.Errorf("field %s is there twice", name)
		}
		m[name], data = value, rest
	}
	return m
}
