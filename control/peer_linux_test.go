// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// askMarker makes this test binary a caller of the socket it names.
const askMarker = "CONTROL_TEST_ASK"

func TestMain(m *testing.M) {
	if path := os.Getenv(askMarker); path != "" {
		_, err := control.NewClient(path).Reload(context.Background())
		if e, ok := errors.AsType[*control.Error](err); ok {
			fmt.Println(e.Code, e.Message)
		} else {
			fmt.Println(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// nobody is a user that owns nothing here.
const nobody = 65534

func TestAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to ask as another user")
	}
	dir, err := os.MkdirTemp("/tmp", "control")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var reloads atomic.Int32
	quiet := slog.New(slog.DiscardHandler)
	srv := &control.Server{Path: filepath.Join(dir, "s"), Logger: quiet, Target: &target{
		reload: func(context.Context) (control.Outcome, error) {
			reloads.Add(1)
			return control.Outcome{Action: "reload"}, nil
		},
	}}
	start(t, srv)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}

	if got := askAs(t, nobody, srv.Path); !strings.Contains(got, "permission denied") {
		t.Errorf("another user at a 0600 socket hears %q, want permission denied", got)
	}
	// An administrator opened the socket: the credentials still decide.
	if err := os.Chmod(srv.Path, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := askAs(t, nobody, srv.Path); !strings.HasPrefix(got, "403 user 65534 may not control") {
		t.Errorf("another user hears %q, want 403", got)
	}
	if reloads.Load() != 0 {
		t.Error("another user's reload was done")
	}
	if got := askAs(t, 0, srv.Path); got != "<nil>" || reloads.Load() != 1 {
		t.Errorf("root hears %q after %d reloads, want success", got, reloads.Load())
	}
}

// askAs runs this binary as another user. It is started through /proc since the directory of a test
// binary is closed to others.
func askAs(t *testing.T, uid uint32, path string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{askMarker + "=" + path}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("child of user %d: %v: %s", uid, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestInUseNamesThePid(t *testing.T) {
	srv, _ := serve(t, &target{})
	err := (&control.Server{Path: srv.Path, Target: &target{}}).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("Start = %v, want the pid of the holder, %d", err, os.Getpid())
	}
}

func TestX15SocketFileIsPrivateBeforeItCanBeConnectedTo(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0)) // without our care the file would be open to all
	path := filepath.Join(t.TempDir(), "s")
	ln, err := (&net.ListenConfig{Control: control.Privately}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode after bind = %v, %v, want 0600", info.Mode(), err)
	}
}

func TestStartWaitsForTheLockOnlySoLong(t *testing.T) {
	dir := t.TempDir()
	unlock, err := control.LockDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	srv := &control.Server{Path: filepath.Join(dir, "s"), Target: &target{}}
	if err := srv.Start(ctx); err == nil || !strings.Contains(err.Error(), "lock") {
		t.Errorf("Start under a foreign lock = %v", err)
	}
	unlock()
	start(t, srv)
}
