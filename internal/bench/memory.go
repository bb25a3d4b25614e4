// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// What an idle worker may take, in MB of 1,000,000 bytes.
const (
	anonymousAllowed    = 4.0
	proportionalAllowed = 6.0
)

// memoryRow measures the workers of a fresh hello that have answered a few requests and are idle. Of
// each start the larger worker counts.
func memoryRow(ctx context.Context, b *bench) ([]result, error) {
	var anon, prop []float64
	for range b.pairs {
		a, p, err := idleMemory(ctx, b)
		if err != nil {
			return nil, err
		}
		anon, prop = append(anon, a), append(prop, p)
	}
	line := func(name string, v []float64, allowed float64) result {
		return result{
			name:     name + " memory per idle worker",
			target:   fmt.Sprintf("<= %g MB", allowed),
			measured: fmt.Sprintf("%.2f MB", median(v)),
			reached:  median(v) <= allowed,
			detail:   fmt.Sprintf("%.2f to %.2f MB", quantile(v, 0), quantile(v, 1)),
		}
	}
	return []result{line("anonymous", anon, anonymousAllowed), line("proportional", prop, proportionalAllowed)}, nil
}

// idleMemory returns the most that a worker has, anonymous and proportional, in MB.
func idleMemory(ctx context.Context, b *bench) (anon, prop float64, err error) {
	s, err := startReady(ctx, b)
	if err != nil {
		return 0, 0, err
	}
	defer s.stop()
	for range 16 { // connections of their own, so that each worker has some
		if _, err := get(s.addr); err != nil {
			return 0, 0, err
		}
	}
	select { // start-up garbage may go, connections end
	case <-time.After(time.Second):
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	pids, err := s.workersReady(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, pid := range pids {
		a, err := procMB(pid, "status", "RssAnon")
		if err != nil {
			return 0, 0, err
		}
		p, err := procMB(pid, "smaps_rollup", "Pss")
		if err != nil {
			return 0, 0, err
		}
		anon, prop = max(anon, a), max(prop, p)
	}
	return anon, prop, nil
}

// procMB reads a field, in kB, of a file of a process.
func procMB(pid int, file, field string) (float64, error) {
	path := fmt.Sprintf("/proc/%d/%s", pid, file)
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		f := strings.Fields(value)
		if name == field && len(f) == 2 && f[1] == "kB" {
			kb, err := strconv.Atoi(f[0])
			return float64(kb) * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, field)
}
