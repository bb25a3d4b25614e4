// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// secondLook is the time that other code of this program has to reap a child of its own, before the
// spawner takes it for an orphan that nobody waits for.
const secondLook = time.Second

// strangers finds dead processes that the kernel gave to this one, as process 1, when their parent
// ended. Nobody else would reap them. Those that other code waits for must be left alone, else it
// would lose their status: package os holds a pidfd of each process that it starts; what was started
// in other ways has until the second look.
type strangers struct {
	seen map[stranger]time.Time
}

// stranger names a process: a pid alone may be used again.
type stranger struct {
	pid   int
	start string // as in /proc/<pid>/stat
}

// newStrangers returns nil unless this is process 1, and /proc shows its own name space.
func newStrangers() *strangers {
	if link, err := os.Readlink("/proc/self"); os.Getpid() != 1 || err != nil || link != "1" {
		return nil
	}
	return &strangers{seen: make(map[stranger]time.Time)}
}

// look reaps the strangers that were dead a while ago already. It returns true if there are others,
// to look at again after secondLook.
func (s *strangers) look(own func(pid int) bool) (again bool) {
	now := time.Now()
	seen := make(map[stranger]time.Time)
	var held map[int]bool
	for _, z := range zombies() {
		if own(z.pid) {
			continue
		}
		first, ok := s.seen[z]
		if !ok {
			first = now
		}
		seen[z] = first
		if now.Sub(first) < secondLook {
			again = true
			continue
		}
		if held == nil {
			held = pidfds()
		}
		if held[z.pid] {
			continue // its owner may take until any later SIGCHLD
		}
		wait4(z.pid)
		delete(seen, z)
	}
	s.seen = seen
	return again
}

// zombies returns the dead children of all threads of this process.
func zombies() (list []stranger) {
	threads, _ := filepath.Glob("/proc/self/task/*/children")
	for _, path := range threads {
		children, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		for word := range strings.FieldsSeq(string(children)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				continue
			}
			if start, dead := parseStat(readStat(pid)); dead {
				list = append(list, stranger{pid, start})
			}
		}
	}
	return list
}

func readStat(pid int) []byte {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return stat
}

// parseStat reads the start time of a process from its stat file and whether it is dead.
func parseStat(stat []byte) (start string, dead bool) {
	const state, startTime = 0, 19 // fields after the name, which may hold anything
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return "", false
	}
	fields := bytes.Fields(stat[i+1:])
	if len(fields) <= startTime {
		return "", false
	}
	return string(fields[startTime]), string(fields[state]) == "Z"
}

// pidfds returns the processes that this one holds pidfds of.
func pidfds() map[int]bool {
	held := make(map[int]bool)
	infos, _ := filepath.Glob("/proc/self/fdinfo/*")
	for _, path := range infos {
		info, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(info)) {
			if value, ok := strings.CutPrefix(line, "Pid:"); ok {
				if pid, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
					held[pid] = true
				}
			}
		}
	}
	return held
}
