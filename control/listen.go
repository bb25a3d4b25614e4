// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// ErrInUse is in the error of a [Server] whose socket a running program answers on.
var ErrInUse = errors.New("in use")

const socketMode = 0o600

// listener is a listening socket that removes its file once, and only its own.
type listener struct {
	*net.UnixListener
	path  string
	file  os.FileInfo
	close func() error
}

func (l *listener) Close() error { return l.close() }

// listen binds path. Programs that start at the same time do so one after the other: without the
// lock, the second to find a stale file would remove the socket that the first has just made.
func listen(ctx context.Context, path string) (*listener, error) {
	unlock, err := lockDir(ctx, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()

	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{Control: privately}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, cause(err)
	}
	l := &listener{UnixListener: ln.(*net.UnixListener), path: path}
	l.SetUnlinkOnClose(false) // Close looks whose file it is first
	l.close = sync.OnceValue(l.closeOnce)
	if l.file, err = os.Lstat(path); err == nil {
		// Where privately could do nothing; elsewhere this changes nothing.
		err = os.Chmod(path, socketMode)
	}
	if err != nil {
		l.Close()
		return nil, cause(err)
	}
	return l, nil
}

func (l *listener) closeOnce() error {
	if now, err := os.Lstat(l.path); err == nil && l.file != nil && os.SameFile(now, l.file) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

// removeStale makes way for a socket at path: it removes one that nobody answers on.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return cause(err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("there is a file of that name that is no socket")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		defer conn.Close()
		return inUse(peerOf(conn))
	case errors.Is(err, syscall.EAGAIN): // its queue is full: somebody holds it
		return inUse(peer{})
	case errors.Is(err, syscall.ECONNREFUSED):
		return cause(os.Remove(path))
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return cause(err)
}

func inUse(p peer) error {
	if p.pid == 0 {
		return fmt.Errorf("%w by another program", ErrInUse)
	}
	return fmt.Errorf("%w by another program, pid %d", ErrInUse, p.pid)
}

// cause takes off the path and address that package os and net put around an error: our callers name
// the path anyhow.
func cause(err error) error {
	for {
		switch e := err.(type) {
		case *fs.PathError:
			err = e.Err
		case *net.OpError:
			err = e.Err
		default:
			return err
		}
	}
}
