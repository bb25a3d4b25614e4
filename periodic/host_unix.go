// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix && !solaris && !aix

package periodic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// hostLeases keeps leases by locks on files. The kernel releases the lock of a process that ends,
// however it ends, and of nobody else: a stopped process keeps its leases, and whoever supervises it has
// to end it. So there is no expiry here, and never two holders.
type hostLeases struct {
	dir  string
	mu   sync.Mutex
	held map[string]*hostLease
}

type hostLease struct {
	file   *os.File
	holder string
	token  int64
}

// HostLeases returns leases that are held by one process of this host each: locks on files in dir, which
// is made when the first is taken. They last until they are released or their process ends; ttl is not
// used. Tasks with scope OncePerHost have theirs there.
func HostLeases(dir string) (Leases, error) {
	return &hostLeases{dir: dir, held: make(map[string]*hostLease)}, nil
}

// content is what a lock file has in it, of a fixed width so that it is written as one: the token, and
// when the last run began, as Unix time in nanoseconds.
const (
	content     = "%020d %020d\n"
	contentSize = 42
)

// Acquire takes a lease: see [Leases].
func (l *hostLeases) Acquire(ctx context.Context, name, holder string, _ time.Duration) (Grant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		return Grant{}, err
	}
	if h := l.held[name]; h != nil {
		if h.holder != holder {
			return Grant{Holder: h.holder}, nil
		}
		// It gave up what it could not renew in time, or did not hear that it has it.
		if err := l.dropLocked(name); err != nil {
			return Grant{}, err
		}
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return Grant{}, err
	}
	path := filepath.Join(l.dir, url.PathEscape(name)+".lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return Grant{}, err
	}
	g, err := lock(f, path)
	if err != nil || g.Token == 0 {
		f.Close()
		return g, err
	}
	l.held[name] = &hostLease{f, holder, g.Token}
	return g, nil
}

// lock locks f, if nobody else has, and gives it a new token.
func lock(f *os.File, path string) (Grant, error) {
	err := flock(f)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return Grant{}, nil
	}
	if err != nil {
		return Grant{}, fmt.Errorf("lock %s: %w", path, err)
	}
	if !current(f, path) { // it was removed between open and lock
		return Grant{}, nil
	}
	token, began, err := read(f)
	if err != nil {
		return Grant{}, fmt.Errorf("lock file %s: %w", path, err)
	}
	g := Grant{Token: token + 1}
	if began > 0 {
		g.Began, g.Ago = true, max(0, time.Since(time.Unix(0, began)))
	}
	// On the disk before it is used: tokens must rise over a crash of the machine too.
	if err := write(f, g.Token, began); err != nil {
		return Grant{}, err
	}
	return g, f.Sync()
}

// flock locks f without waiting.
func flock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = conn.Control(func(fd uintptr) { lockErr = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) })
	return errors.Join(err, lockErr)
}

// current reports whether f is still the file of that name.
func current(f *os.File, path string) bool {
	a, err := f.Stat()
	b, err2 := os.Stat(path)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

func read(f *os.File) (token, began int64, err error) {
	buf := make([]byte, contentSize+1)
	n, err := f.ReadAt(buf, 0)
	if n == 0 && errors.Is(err, io.EOF) {
		return 0, 0, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	if _, err := fmt.Sscanf(string(buf[:n]), content, &token, &began); err != nil || token < 0 || token == math.MaxInt64 {
		return 0, 0, fmt.Errorf("%q is not what a lease writes; stop all that use it and remove the file", buf[:n])
	}
	return token, began, nil
}

func write(f *os.File, token, began int64) error {
	_, err := f.WriteAt(fmt.Appendf(nil, content, token, began), 0)
	return err
}

// Renew notes the start of a run, and finds out whether the lock is still worth something.
func (l *hostLeases) Renew(ctx context.Context, name string, token int64, _ time.Duration, begin bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	h := l.held[name]
	if h == nil || h.token != token {
		return ErrLost
	}
	if !current(h.file, h.file.Name()) {
		l.dropLocked(name)
		return fmt.Errorf("%w: somebody removed %s", ErrLost, h.file.Name())
	}
	if begin {
		return write(h.file, token, time.Now().UnixNano())
	}
	return nil
}

// Release ends a lease: see [Leases].
func (l *hostLeases) Release(_ context.Context, name string, token int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[name]; h != nil && h.token == token {
		return l.dropLocked(name)
	}
	return nil
}

func (l *hostLeases) dropLocked(name string) error {
	f := l.held[name].file
	delete(l.held, name)
	return f.Close()
}
