// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mainstay-go/mainstay/internal/memfd"
)

// A Snapshot is configuration files and folders as they were read, by absolute path. All workers of a
// generation see one snapshot, whatever happens on disk.
type Snapshot map[string]File

// A File is what was found at a path.
type File struct {
	Data    []byte   `json:"data,omitempty"`
	Missing bool     `json:"missing,omitempty"` // there was none
	Folder  bool     `json:"folder,omitempty"`  // it was a folder
	Names   []string `json:"names,omitempty"`   // what was in the folder, sorted
}

// snapshotVersion names the encoding: an upgraded program may read what an older one wrote. Version 1
// had no folders and nothing mutated.
const snapshotVersion = 2

type snapshotFile struct {
	Version int      `json:"version"`
	Files   Snapshot `json:"files"`
	Mutated Snapshot `json:"mutated,omitempty"` // what a mutate has made of Files since
}

// Fingerprint returns a short word that two snapshots share only if they hold the same.
func (s Snapshot) Fingerprint() string {
	h := sha256.New()
	field := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, path := range slices.Sorted(maps.Keys(s)) {
		field([]byte(path))
		field(s[path].Data)
		if s[path].Missing {
			field([]byte("missing"))
		}
		if s[path].Folder { // no name has a slash in it
			field([]byte("folder"))
			field([]byte(strings.Join(s[path].Names, "/")))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// Memfd returns a descriptor (close-on-exec, the caller's to close) from which [OpenSnapshot] reads s.
func (s Snapshot) Memfd() (int, error) { return s.MemfdMutated(nil) }

// MemfdMutated is Memfd for a worker that starts from s and then takes over what a mutate has made of
// it: see [Process.Mutated]. A nil one is none.
func (s Snapshot) MemfdMutated(mutated Snapshot) (int, error) {
	data, err := json.Marshal(snapshotFile{snapshotVersion, s, mutated})
	if err != nil {
		return -1, err
	}
	return memfd.Write("mainstay-snapshot", data)
}

// OpenSnapshot reads the snapshot that fd holds, and leaves fd to the caller.
func OpenSnapshot(fd int) (Snapshot, error) {
	f, err := readSnapshot(fd)
	return f.Files, err
}

func readSnapshot(fd int) (snapshotFile, error) {
	data, err := memfd.Read(fd)
	if err != nil {
		return snapshotFile{}, fmt.Errorf("snapshot: %w", err)
	}
	return decodeSnapshot(data)
}

func decodeSnapshot(data []byte) (snapshotFile, error) {
	var f snapshotFile
	if err := json.Unmarshal(data, &f); err != nil {
		return snapshotFile{}, fmt.Errorf("snapshot: %w", err)
	}
	if f.Version < 1 || f.Version > snapshotVersion {
		return snapshotFile{}, fmt.Errorf("snapshot: version %d, want 1 to %d", f.Version, snapshotVersion)
	}
	if f.Files == nil {
		f.Files = make(Snapshot)
	}
	return f, nil
}

// clone copies the table; nobody changes the bytes of a file.
func (s Snapshot) clone() Snapshot {
	c := make(Snapshot, len(s))
	maps.Copy(c, s)
	return c
}

// ReadFile returns the content of a configuration file, as os.ReadFile does, and remembers it, or its
// absence, in case this process launches. A worker gets it from its snapshot; what is not in there it
// reads from disk. The caller must not change the bytes.
func (p *Process) ReadFile(path string) ([]byte, error) {
	f, err := p.read("open", path, func(path string) (File, error) {
		data, err := os.ReadFile(path)
		return File{Data: data}, err
	})
	if err == nil && f.Folder {
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	}
	return f.Data, err
}

// ReadDir returns the names in a folder, sorted, and remembers them; otherwise it is as ReadFile. The
// names are the caller's.
func (p *Process) ReadDir(path string) ([]string, error) {
	f, err := p.read("open", path, readFolder)
	if err == nil && !f.Folder {
		return nil, &fs.PathError{Op: "readdir", Path: path, Err: syscall.ENOTDIR}
	}
	return slices.Clone(f.Names), err
}

func readFolder(path string) (File, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return File{}, err
	}
	f := File{Folder: true}
	for _, e := range entries {
		f.Names = append(f.Names, e.Name())
	}
	return f, nil
}

// read returns what is at a path: from the snapshot where this process keeps to one, else from disk.
func (p *Process) read(op, path string, fromDisk func(string) (File, error)) (File, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return File{}, err
	}
	f, ok, err := p.recall(abs)
	switch { // a file that is there now is not part of this generation either
	case err != nil:
		return File{}, err
	case ok && f.Missing:
		return File{}, &fs.PathError{Op: op, Path: path, Err: syscall.ENOENT}
	case ok:
		return f, nil
	}
	f, err = fromDisk(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return File{}, err
	}
	p.remember(abs, f, err != nil)
	return f, err
}

// recall looks for a path in the snapshot that this process keeps to, if it does.
func (p *Process) recall(abs string) (f File, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.role != Worker && !p.recalling {
		return File{}, false, nil
	}
	err = p.loadLocked()
	f, ok = p.files[abs]
	return f, ok, err
}

// remember notes what was read from disk. A worker's snapshot stays as it is.
func (p *Process) remember(abs string, f File, missing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.role == Worker || p.recalling {
		return
	}
	f.Missing = missing
	p.files[abs] = f
}

// loadLocked reads a worker's snapshot, once.
func (p *Process) loadLocked() error {
	if p.load == nil {
		return nil
	}
	f, err := p.load()
	if err == nil {
		p.files, p.mutated, p.load = f.Files, f.Mutated, nil
	}
	return err
}

// Remembered returns the files read so far, in a worker its snapshot; nil if that cannot be read.
func (p *Process) Remembered() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loadLocked() != nil {
		return nil
	}
	return p.files.clone()
}

// SetSnapshot makes s what Remembered knows from now on, and in a worker ReadFile and ReadDir: the
// files of a new generation.
func (p *Process) SetSnapshot(s Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files, p.mutated, p.load = s.clone(), nil, nil
}

// Recall is SetSnapshot, and while f runs ReadFile and ReadDir answer from s in any process. Calls must
// not overlap.
func (p *Process) Recall(s Snapshot, f func() error) error {
	p.SetSnapshot(s)
	p.setRecalling(true)
	defer p.setRecalling(false)
	return f()
}

func (p *Process) setRecalling(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recalling = on
}

// Mutated reports whether this worker's generation was mutated since it began, and makes the files of
// that mutate its snapshot. It does so once.
func (p *Process) Mutated() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loadLocked() != nil || p.mutated == nil {
		return false
	}
	p.files, p.mutated = p.mutated, nil
	return true
}
