// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package bind

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// openUnix returns a listening unix socket. It binds at the path itself, not beside it with a rename
// after: the kernel shows the name of the bind to peers and tools for ever.
func openUnix(spec Spec) (*Socket, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &Socket{FD: fd, Spec: spec, Addr: spec.Address, made: true}
	if spec.Address[0] == '@' {
		err = bindUnix(fd, spec.Address)
		if err == nil {
			err = listen(fd, spec.Backlog)
		}
	} else {
		s.file, err = listenFile(fd, spec)
	}
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return s, nil
}

func bindUnix(fd int, name string) error {
	return os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrUnix{Name: name}))
}

// listenFile binds fd to a path and listens. The lock on the folder keeps two programs from each
// taking the other's socket, bound but not listening yet, for a stale one.
func listenFile(fd int, spec Spec) (*file, error) {
	path, err := filepath.Abs(spec.Address)
	if err != nil {
		return nil, err
	}
	unlock, err := lockDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(spec.Address); err != nil {
		return nil, err
	}
	if spec.Mode != 0 {
		// The kernel gives the file the mode of the descriptor, less the umask: never wider than asked.
		if err := syscall.Fchmod(fd, uint32(spec.Mode.Perm())); err != nil {
			return nil, os.NewSyscallError("fchmod", err)
		}
	}
	if err := bindUnix(fd, spec.Address); err != nil {
		return nil, err
	}
	if spec.Mode != 0 {
		err = os.Chmod(path, spec.Mode.Perm()) // what the umask took away
	}
	if err == nil {
		err = listen(fd, spec.Backlog)
	}
	f, e := stat(path)
	if err = errors.Join(err, e); err != nil {
		os.Remove(path)
		return nil, err
	}
	return f, nil
}

// removeStale removes the socket at path if nobody listens on it. Anything else there is an error.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return errors.Unwrap(err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%w: the file there is no socket", syscall.EEXIST)
	}
	switch err := answers(path); err {
	case syscall.ECONNREFUSED:
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("stale socket: %w", errors.Unwrap(err))
		}
		return nil
	case syscall.ENOENT:
		return nil
	case nil, syscall.EAGAIN: // EAGAIN is a full queue
		return fmt.Errorf("%w: another program listens there", syscall.EADDRINUSE)
	default:
		return fmt.Errorf("%w: asking who listens there: %w", syscall.EADDRINUSE, err)
	}
}

// answers returns nil if a program listens at path, else what connecting to it says.
func answers(path string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
}

// lockWait is how long to wait for the lock of a folder. It is held for microseconds by programs
// that bind there; whoever holds it longer means something else by it.
const lockWait = time.Second

// lockDir takes the advisory lock of a folder. It goes on without after lockWait, as in a folder of
// everybody's, such as /tmp, anybody can hold it.
func lockDir(dir string) (unlock func(), err error) {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrPermission) {
		return func() {}, nil // a folder that may be written to but not read
	}
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	for end := time.Now().Add(lockWait); ; time.Sleep(time.Millisecond) {
		err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || time.Now().After(end) {
			return func() { syscall.Close(fd) }, nil
		}
	}
}

// A file is the file of a unix socket that we bound. The open socket holds on to its inode, so the
// number of a file that was removed is not used again before the descriptor is closed.
type file struct {
	path     string
	dev, ino uint64
	hidden   string // where it is while it is hidden
}

// Hide takes the file of a unix socket that [Bind] made away from its path, if it is still that one,
// so that nobody connects any more: each connection from before waits in the queue. [Socket.Show] puts
// it back; Close removes it. Other sockets are left as they are.
func (s *Socket) Hide() error {
	f := s.file
	if f == nil || f.hidden != "" {
		return nil
	}
	unlock, err := lockDir(filepath.Dir(f.path))
	if err != nil {
		return nil // the folder is gone, and the file with it
	}
	defer unlock()
	if !f.isAt(f.path) {
		return nil
	}
	// Its inode is in the name: nobody else's hidden file has it.
	hidden := filepath.Join(filepath.Dir(f.path), fmt.Sprintf(".%d.closing", f.ino))
	if err := os.Rename(f.path, hidden); err != nil {
		return err
	}
	f.hidden = hidden
	return nil
}

// Show undoes Hide. The error is syscall.EADDRINUSE if there is another file by now.
func (s *Socket) Show() error {
	f := s.file
	if f == nil || f.hidden == "" {
		return nil
	}
	unlock, err := lockDir(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	defer unlock()
	// Link, unlike rename, never replaces a file.
	if err := os.Link(f.hidden, f.path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("%s: %w", f.path, syscall.EADDRINUSE)
		}
		return err
	}
	os.Remove(f.hidden)
	f.hidden = ""
	return nil
}

// isAt reports whether the file is at path.
func (f *file) isAt(path string) bool {
	now, err := stat(path)
	return err == nil && now.dev == f.dev && now.ino == f.ino
}

func stat(path string) (*file, error) {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return nil, os.NewSyscallError("lstat", err)
	}
	return &file{path: path, dev: uint64(st.Dev), ino: st.Ino}, nil
}

// remove removes the file if it is still ours. A nil file is none.
func (f *file) remove() error {
	if f == nil {
		return nil
	}
	unlock, err := lockDir(filepath.Dir(f.path))
	if err != nil {
		return nil // the folder is gone, and the file with it
	}
	defer unlock()
	path := cmp.Or(f.hidden, f.path)
	if !f.isAt(path) {
		return nil
	}
	return os.Remove(path)
}
