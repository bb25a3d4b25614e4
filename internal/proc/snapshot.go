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
	"syscall"

	"github.com/mainstay-go/mainstay/internal/memfd"
)

// A Snapshot is configuration files as they were read, by absolute path. All workers of a generation
// see one snapshot, whatever happens on disk.
type Snapshot map[string]File

// A File is what was found at a path.
type File struct {
	Data    []byte `json:"data,omitempty"`
	Missing bool   `json:"missing,omitempty"` // there was none
}

// snapshotVersion names the encoding: an upgraded program may read what an older one wrote.
const snapshotVersion = 1

type snapshotFile struct {
	Version int      `json:"version"`
	Files   Snapshot `json:"files"`
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
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// Memfd returns a descriptor (close-on-exec, the caller's to close) from which [OpenSnapshot] reads s.
func (s Snapshot) Memfd() (int, error) {
	data, err := json.Marshal(snapshotFile{snapshotVersion, s})
	if err != nil {
		return -1, err
	}
	return memfd.Write("mainstay-snapshot", data)
}

// OpenSnapshot reads the snapshot that fd holds, and leaves fd to the caller.
func OpenSnapshot(fd int) (Snapshot, error) {
	data, err := memfd.Read(fd)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return decodeSnapshot(data)
}

func decodeSnapshot(data []byte) (Snapshot, error) {
	var f snapshotFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if f.Version != snapshotVersion {
		return nil, fmt.Errorf("snapshot: version %d, want %d", f.Version, snapshotVersion)
	}
	if f.Files == nil {
		f.Files = make(Snapshot)
	}
	return f.Files, nil
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
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if p.role == Worker {
		f, ok, err := p.recall(abs)
		switch { // a file that is there now is not part of this generation either
		case err != nil:
			return nil, err
		case f.Missing:
			return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT}
		case ok:
			return f.Data, nil
		}
		return os.ReadFile(path)
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p.mu.Lock()
	p.files[abs] = File{Data: data, Missing: err != nil}
	p.mu.Unlock()
	return data, err
}

// recall looks for a path in the worker's snapshot.
func (p *Process) recall(abs string) (f File, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err = p.loadLocked()
	f, ok = p.files[abs]
	return f, ok, err
}

// loadLocked reads a worker's snapshot, once.
func (p *Process) loadLocked() error {
	if p.load == nil {
		return nil
	}
	s, err := p.load()
	if err == nil {
		p.files, p.load = s, nil
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

// SetSnapshot makes s what ReadFile and Remembered know from now on: the files of a new generation.
func (p *Process) SetSnapshot(s Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files, p.load = s.clone(), nil
}
