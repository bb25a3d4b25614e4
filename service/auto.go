// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/mainstay-go/mainstay/internal/core"
)

// memoryPerWorker is what Auto sets aside for each worker: many workers on a machine with many CPUs
// and little memory were killed for want of it (neutron bug 1815629).
const memoryPerWorker = 128 << 20

// autoWorkers returns the number of workers that Auto stands for: one per CPU, as few as fit into the
// memory limit, at least one.
func autoWorkers() int {
	n := cpus()
	if limit := memoryLimit("/sys/fs/cgroup", "/proc/self/cgroup"); limit > 0 {
		n = min(n, int(limit/memoryPerWorker))
	}
	return max(n, 1)
}

// cpus returns the CPUs that this process may use, with a control group's quota rounded up.
func cpus() int {
	n := runtime.NumCPU()
	if quota := cpuQuota("/sys/fs/cgroup", "/proc/self/cgroup"); quota > 0 {
		n = min(n, quota)
	}
	return n
}

// procsOf returns GOMAXPROCS for each of a number of workers when none is set: an equal share rounded
// up, and at least 2, since with 1 a request that computes delays all others of its worker.
func procsOf(workers int) int {
	workers = max(workers, 1)
	return max(2, (cpus()+workers-1)/workers)
}

// memoryBudget returns the bytes that an option MemoryLimit stands for, 0 for no limit. A tenth of a
// control group's is left to the launcher and to what Go does not manage.
func memoryBudget(limit int64) int64 {
	if limit != MemoryAuto {
		return limit
	}
	return memoryLimit("/sys/fs/cgroup", "/proc/self/cgroup") / 10 * 9
}

// memoryShare returns the part of one worker: all sets together have as many as their specs say.
func memoryShare(budget int64, sets []core.Set) int64 {
	workers := int64(0)
	for i := range sets {
		workers += int64(sets[i].Spec.Workers)
	}
	return budget / max(workers, 1)
}

// cpuQuota returns the smallest CPU quota of this process's control group and those above it, in
// whole CPUs rounded up; 0 is none. The tightest may be any of them (golang.org/issue/81180).
func cpuQuota(root, self string) int {
	tightest := 0
	walkCgroups(root, self, func(dir string) {
		fields := strings.Fields(readLine(filepath.Join(dir, "cpu.max")))
		if len(fields) != 2 {
			return
		}
		quota, err1 := strconv.Atoi(fields[0]) // "max" is none
		period, err2 := strconv.Atoi(fields[1])
		if err1 != nil || err2 != nil || quota <= 0 || period <= 0 {
			return
		}
		if n := (quota + period - 1) / period; tightest == 0 || n < tightest {
			tightest = n
		}
	})
	return tightest
}

// memoryLimit returns the smallest memory limit in the same way, in bytes; 0 is none.
func memoryLimit(root, self string) int64 {
	tightest := int64(0)
	walkCgroups(root, self, func(dir string) {
		n, err := strconv.ParseInt(readLine(filepath.Join(dir, "memory.max")), 10, 64)
		if err == nil && n > 0 && (tightest == 0 || n < tightest) {
			tightest = n
		}
	})
	return tightest
}

// walkCgroups calls f for the folder of this process's control group (version 2) and those above.
func walkCgroups(root, self string, f func(dir string)) {
	data, err := os.ReadFile(self)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for path = filepath.Clean("/" + path); ; path = filepath.Dir(path) {
			f(filepath.Join(root, path))
			if path == "/" {
				return
			}
		}
	}
}

// readLine returns the first line of a file without its end, empty if it cannot be read.
func readLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}
