// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package systemd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/systemd"
)

// childMarker makes this test binary a program that was started with passed sockets.
const childMarker = "SYSTEMD_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childMarker) != "" {
		child()
	}
	os.Exit(m.Run())
}

// seen is what the child found out about one descriptor.
type seen struct {
	FD                 int
	Name               string
	CloseOnExec        bool
	NonBlocking        bool
	Accepts, SameAgain bool
}

func child() {
	var all []seen
	first := systemd.ListenFDs()
	os.Unsetenv("LISTEN_PID") // later calls answer from memory
	for _, p := range first {
		s := seen{FD: p.FD, Name: p.Name, SameAgain: reflect.DeepEqual(first, systemd.ListenFDs())}
		fdFlags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(p.FD), syscall.F_GETFD, 0)
		s.CloseOnExec = fdFlags&syscall.FD_CLOEXEC != 0
		flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(p.FD), syscall.F_GETFL, 0)
		s.NonBlocking = flags&syscall.O_NONBLOCK != 0
		accepts, err := syscall.GetsockoptInt(p.FD, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
		s.Accepts = err == nil && accepts == 1
		all = append(all, s)
	}
	json.NewEncoder(os.Stdout).Encode(all)
	os.Exit(0)
}

func TestListenFDsOfAProgramStartedWithSockets(t *testing.T) {
	tests := map[string]struct {
		env  string
		want []seen
	}{
		"two, named": {
			`LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=api:`,
			[]seen{{3, "api", true, true, true, true}, {4, "unknown", true, true, true, true}},
		},
		"one announced that is not open": {
			`LISTEN_PID=$$ LISTEN_FDS=3`,
			[]seen{{3, "unknown", true, true, true, true}, {4, "unknown", true, true, true, true}},
		},
		"for another process": {`LISTEN_PID=1 LISTEN_FDS=2`, nil},
		"no number":           {`LISTEN_PID=$$ LISTEN_FDS=two`, nil},
		"none":                {`LISTEN_PID=$$`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			// $$ is the pid that the program has after exec, as with a service manager.
			cmd := exec.Command("/bin/sh", "-c", test.env+` exec "$0"`, os.Args[0])
			cmd.Env = append(os.Environ(), childMarker+"=1")
			cmd.ExtraFiles = []*os.File{listening(t), listening(t)}
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("child: %v", err)
			}
			if got := decode(t, out); !reflect.DeepEqual(got, test.want) {
				t.Errorf("child saw %+v, want %+v", got, test.want)
			}
		})
	}
}

// listening returns the descriptor of a listening socket that is blocking and not close-on-exec, as
// a service manager passes it.
func listening(t *testing.T) *os.File {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func decode(t *testing.T, out []byte) []seen {
	t.Helper()
	var all []seen
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("child printed %q: %v", out, err)
	}
	return all
}

func TestListenFDsFromSystemdSocketActivate(t *testing.T) {
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("systemd-socket-activate is not installed")
	}
	path := filepath.Join(t.TempDir(), "s")
	var out, diag bytes.Buffer
	cmd := exec.Command(activate, "-l", path, "--fdname=api", "-E", childMarker+"=1", os.Args[0])
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It starts the program on the first connection.
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.Dial("unix", path)
		if err == nil {
			defer conn.Close()
			break
		}
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			cmd.Wait()
			t.Fatalf("%s does not listen: %v: %s", activate, err, &diag)
		}
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v: %s", activate, err, &diag)
	}
	want := []seen{{3, "api", true, true, true, true}}
	if got := decode(t, out.Bytes()); !reflect.DeepEqual(got, want) {
		t.Errorf("child saw %+v, want %+v", got, want)
	}
}

func TestStrip(t *testing.T) {
	env := []string{
		"PATH=/bin", "NOTIFY_SOCKET=/run/n", "WATCHDOG_PID=1", "WATCHDOG_USEC=2", "LISTEN_PID=1",
		"LISTEN_PIDFDID=9", "LISTEN_FDS=1", "LISTEN_FDNAMES=a", "LISTEN_ADDRESS=:80", "odd",
	}
	before := slices.Clone(env)
	want := []string{"PATH=/bin", "LISTEN_ADDRESS=:80", "odd"}
	if got := systemd.Strip(env); !slices.Equal(got, want) {
		t.Errorf("Strip = %q, want %q", got, want)
	}
	if !slices.Equal(env, before) {
		t.Errorf("Strip changed its argument to %q", env)
	}
}

func FuzzParse(f *testing.F) {
	const pid = 77
	f.Add("77", "2", "api:admin")
	f.Add("77", "3", ":x")
	f.Add("77", "99999999999999999999", "")
	f.Add("1", "1", "")
	f.Add("77", "-1", "a:b")
	f.Fuzz(func(t *testing.T, listenPID, listenFDs, names string) {
		got := systemd.Parse(pid, listenPID, listenFDs, names)
		if strings.TrimLeft(listenPID, "+0") != fmt.Sprint(pid) && got != nil {
			t.Errorf("pid %q is another's, got %d descriptors", listenPID, len(got))
		}
		for i, p := range got {
			if p.FD != 3+i || p.Name == "" || strings.Contains(p.Name, ":") {
				t.Fatalf("descriptor %d is %+v", i, p)
			}
		}
	})
}
