// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/mainstay-go/mainstay/internal/bind"
)

// umask sets the umask of this process, all of it, for the length of the test.
func umask(t *testing.T, mask int) {
	old := syscall.Umask(mask)
	t.Cleanup(func() { syscall.Umask(old) })
}

// stale leaves the file of a socket that nobody listens on.
func stale(t *testing.T, path string) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestWS11UnixPathAndMode(t *testing.T) {
	for name, c := range map[string]struct {
		umask      int
		mode, want fs.FileMode
	}{
		"as asked":              {0o022, 0o644, 0o644},
		"narrower than umask":   {0o022, 0o600, 0o600},
		"wider than umask":      {0o077, 0o666, 0o666},
		"not asked, from umask": {0o027, 0, 0o750},
	} {
		t.Run(name, func(t *testing.T) {
			umask(t, c.umask)
			path := filepath.Join(t.TempDir(), "s")
			s := mustBind(t, bind.Spec{Network: "unix", Address: path, Mode: c.mode})
			info, err := os.Lstat(path)
			if err != nil || info.Mode() != fs.ModeSocket|c.want {
				t.Errorf("mode = %v, %v, want %v", info.Mode(), err, c.want)
			}
			if s.Addr != path {
				t.Errorf("Addr = %q, want %q", s.Addr, path)
			}
			dial(t, "unix", path)
			s.Close()
			if exists(path) {
				t.Error("the file is still there after Close")
			}
		})
	}
}

// TestX15ModeIsNeverWiderThanAsked looks at the file all the time while it is made.
func TestX15ModeIsNeverWiderThanAsked(t *testing.T) {
	umask(t, 0)
	const mode = 0o600
	path := filepath.Join(t.TempDir(), "s")
	var done atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer done.Store(true)
	var seen atomic.Int64
	for range 2 {
		wg.Go(func() {
			for !done.Load() {
				if info, err := os.Lstat(path); err == nil {
					seen.Add(1)
					if wide := info.Mode().Perm() &^ mode; wide != 0 {
						t.Errorf("mode was %v, want at most %v", info.Mode(), fs.FileMode(mode))
						return
					}
				}
				runtime.Gosched()
			}
		})
	}
	for range 300 {
		s, err := bind.Bind(t.Context(), bind.Spec{Network: "unix", Address: path, Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		before := seen.Load()
		for seen.Load() == before && !t.Failed() {
			runtime.Gosched() // until it was looked at
		}
		s.Close()
	}
}

func TestX15StaleFileIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stale(t, path)
	mustBind(t, bind.Spec{Network: "unix", Address: path})
	dial(t, "unix", path)
}

func TestX15LiveSocketIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	mustBind(t, bind.Spec{Network: "unix", Address: path, Backlog: 1})
	// The last of these meets a full queue, which is an answer too.
	for range 4 {
		if _, err := bind.Bind(t.Context(), bind.Spec{Network: "unix", Address: path}); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("Bind(%s) = %v, want EADDRINUSE", path, err)
		}
	}
	if !exists(path) {
		t.Error("the file of the live socket is gone")
	}
}

func TestX15OtherFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	plain, link := filepath.Join(dir, "plain"), filepath.Join(dir, "link")
	if err := os.WriteFile(plain, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	stale(t, filepath.Join(dir, "stale"))
	if err := os.Symlink("stale", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, link, dir} {
		if _, err := bind.Bind(t.Context(), bind.Spec{Network: "unix", Address: path}); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("Bind(%s) = %v, want EEXIST", path, err)
		}
		if !exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
}

// TestX15AnothersFileIsLeftAlone takes the file away and has another put there, again and again: file
// systems like to use the number of an inode again.
func TestX15AnothersFileIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 20 {
		s := mustBind(t, bind.Spec{Network: "unix", Address: path})
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		other := mustBind(t, bind.Spec{Network: "unix", Address: path})
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		dial(t, "unix", path)
		other.Close()
		if exists(path) {
			t.Fatal("the file is still there after its owner's Close")
		}
	}
}

func TestX15FileRemovedAlready(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d", "s")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := mustBind(t, bind.Spec{Network: "unix", Address: path})
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

func TestX15RelativePathIsRemovedFromElsewhere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s := mustBind(t, bind.Spec{Network: "unix", Address: "s"})
	t.Chdir("/")
	s.Close()
	if exists(filepath.Join(dir, "s")) {
		t.Error("the file is still there after Close")
	}
}

// TestX15ManyBindersOneWins has binders meet a stale file at the same moment.
func TestX15ManyBindersOneWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 100 {
		stale(t, path)
		var wg sync.WaitGroup
		won := make(chan *bind.Socket, 6)
		for range cap(won) {
			wg.Go(func() {
				if s, err := bind.Bind(t.Context(), bind.Spec{Network: "unix", Address: path}); err == nil {
					won <- s
				} else if !errors.Is(err, syscall.EADDRINUSE) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(won)
		if n := len(won); n != 1 {
			t.Errorf("%d of %d binders got the path, want 1", n, cap(won))
		}
		dial(t, "unix", path)
		for s := range won {
			s.Close()
		}
	}
}

func TestALockHeldByOthersOnlyDelays(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		mustBind(t, bind.Spec{Network: "unix", Address: filepath.Join(dir, "s")})
	})
}

func TestTheLongestPath(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	path := strings.Repeat("x", 107)
	mustBind(t, bind.Spec{Network: "unix", Address: path})
	dial(t, "unix", path)
}

func TestAbstract(t *testing.T) {
	name := fmt.Sprintf("@mainstay-test-%d", os.Getpid())
	s := mustBind(t, bind.Spec{Network: "unix", Address: name})
	if s.Addr != name {
		t.Errorf("Addr = %q, want %q", s.Addr, name)
	}
	dial(t, "unix", name)
	if _, err := bind.Bind(t.Context(), bind.Spec{Network: "unix", Address: name}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Bind(%s) a second time = %v, want EADDRINUSE", name, err)
	}
	if exists(name) {
		t.Errorf("%s is a file", name)
	}
}

func TestUnixBacklog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	mustBind(t, bind.Spec{Network: "unix", Address: path, Backlog: 3})
	var n int
	for ; n < 100; n++ {
		c, err := net.Dial("unix", path)
		if errors.Is(err, syscall.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if n != 3+1 { // the kernel adds one
		t.Errorf("%d connections fit, want 4", n)
	}
}

// TestHide takes the file away while a connection waits, and puts it back.
func TestHide(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	s := mustBind(t, bind.Spec{Network: "unix", Address: path})
	dial(t, "unix", path)
	for range 2 {
		if err := errors.Join(s.Hide(), s.Hide()); err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("unix", path); !errors.Is(err, syscall.ENOENT) {
			t.Fatalf("Dial() of a hidden socket = %v, %v, want ENOENT", c, err)
		}
		if err := errors.Join(s.Show(), s.Show()); err != nil {
			t.Fatal(err)
		}
		dial(t, "unix", path)
	}
	if err := s.Hide(); err != nil {
		t.Fatal(err)
	}
	other := mustBind(t, bind.Spec{Network: "unix", Address: path}) // the path is free meanwhile
	if err := s.Show(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Show() beside another socket = %v, want EADDRINUSE", err)
	}
	fd, _, err := syscall.Accept(s.FD)
	if err != nil {
		t.Errorf("accept of who waited before = %v", err)
	}
	syscall.Close(fd)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dial(t, "unix", path)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the folder has %v, %v, want nothing", left, err)
	}
}
