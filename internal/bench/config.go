// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/internal/peer"
	"github.com/mainstay-go/mainstay/internal/samplefile"
)

// readAllowed is how long nova.conf may take.
const readAllowed = 10 * time.Millisecond

// novaConf is where Debian's nova-common has it.
const novaConf = "usr/share/nova-common/nova.conf"

// configRow measures reading and validating Debian's nova.conf, with all options that it describes: as
// it is, which is comments in the main, and with all defaults written out.
func configRow(ctx context.Context, b *bench) ([]result, error) {
	dir, err := peer.Dir("nova")
	if err != nil {
		return nil, err
	}
	if err := unpack(ctx, dir, "nova-common"); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, novaConf))
	if err != nil {
		return nil, err
	}
	options, full := samplefile.Read(string(data))
	var results []result
	for _, c := range []struct{ name, text string }{{"as packaged", string(data)}, {"all defaults written out", full}} {
		path := filepath.Join(dir, "nova.conf")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			return nil, err
		}
		times, err := b.repeat(ctx, func() (time.Duration, error) { return parse(path, options) })
		if err != nil {
			return nil, err
		}
		results = append(results, result{
			name:     "nova.conf read and validated, " + c.name,
			target:   fmt.Sprintf("< %d ms", readAllowed.Milliseconds()),
			measured: fmt.Sprintf("%.1f ms", median(times)),
			reached:  median(times) < millis(readAllowed),
			detail:   fmt.Sprintf("%s; %d lines, %d options", spread(times), strings.Count(c.text, "\n"), len(options)),
		})
	}
	return results, nil
}

// unpack downloads a Debian package and unpacks it.
func unpack(ctx context.Context, dir, pkg string) error {
	for _, args := range [][]string{{"apt-get", "-q", "download", pkg}, {"sh", "-c", "dpkg-deb -x *.deb ."}} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("package %s: %w: %v: %s", pkg, errNotInstalled, err, firstLine(string(out)))
		}
	}
	return nil
}

// parse returns what Parse takes: from the command line to values that are checked.
func parse(path string, options []samplefile.Option) (time.Duration, error) {
	conf := config.New(config.Options{Project: "nova", Program: "nova", DefaultFiles: []string{}, DefaultDirs: []string{}})
	if err := samplefile.Declare(conf, options); err != nil {
		return 0, err
	}
	runtime.GC() // the garbage of the declarations is not Parse's
	begin := time.Now()
	err := conf.Parse([]string{"--config-file", path})
	took := time.Since(begin)
	if n := len(conf.Snapshot().Settings()); err == nil && n != len(options) {
		err = errors.New("not all options were read")
	}
	return took, err
}
