// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// standardDirs are the folders where oslo.config looks for files: ~/.project, ~, /etc/project, /etc,
// and inside a snap package its own.
func (c *Config) standardDirs() []string {
	var dirs []string
	project, home := c.opts.Project, c.home()
	if home != "" {
		if project != "" {
			dirs = append(dirs, filepath.Join(home, "."+project))
		}
		dirs = append(dirs, home)
	}
	if project != "" {
		dirs = append(dirs, filepath.Join("/etc", project))
	}
	dirs = append(dirs, "/etc")
	for _, name := range []string{"SNAP_COMMON", "SNAP"} {
		if snap, _ := c.opts.LookupEnv(name); snap != "" && project != "" {
			dirs = append(dirs, filepath.Join(snap, "etc", project))
		}
	}
	return dirs
}

// discover returns the first <project><ext> and the first <program><ext> of the standard folders.
func (c *Config) discover(ext string, exists func(string) bool) []string {
	var hits []string
	dirs := c.standardDirs()
	for _, base := range []string{c.opts.Project, c.opts.Program} {
		if base == "" {
			continue
		}
		if hit := search(dirs, base+ext, exists); hit != "" {
			hits = append(hits, hit)
		}
	}
	return hits
}

func search(dirs []string, name string, exists func(string) bool) string {
	for _, dir := range dirs {
		if p := filepath.Join(dir, name); exists(p) {
			return p
		}
	}
	return ""
}

// fileExists asks by reading, so that the answer is part of the snapshot where ReadFile keeps one.
// What cannot be read for another reason is there, and an error later; but behind a folder that is
// closed to us, such as the home of somebody else, nothing is there.
func (c *Config) fileExists(path string) bool {
	_, err := c.opts.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		_, err = os.Lstat(path)
		return err == nil
	}
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

func (c *Config) dirExists(path string) bool {
	_, err := c.opts.ReadDir(path)
	return err == nil
}

// FindFile returns the path of a file that belongs to the configuration, such as api-paste.ini: the
// first hit in the folders of --config-dir, those of the configuration files, the last file's first,
// and the standard folders; "" if there is none. An absolute name is searched for nowhere else. Before
// Parse only the standard folders are searched. The file is read, and so in the launcher's snapshot.
func (c *Config) FindFile(name string) string {
	if filepath.IsAbs(name) {
		if c.fileExists(name) {
			return name
		}
		return ""
	}
	s := c.Snapshot()
	var dirs []string
	for _, dir := range s.ns.dirs {
		dirs = append(dirs, c.fixPath(dir))
	}
	files := s.Files()
	for i := len(files) - 1; i >= 0; i-- {
		dirs = append(dirs, filepath.Dir(c.fixPath(files[i])))
	}
	return search(append(dirs, c.standardDirs()...), name, c.fileExists)
}
