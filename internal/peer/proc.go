// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package peer

import (
	"os"
	"strconv"
	"strings"
)

// Group returns the living processes of a process group, zombies left out.
func Group(pgid int) []int {
	return processes(func(ppid, pgrp int) bool { return pgrp == pgid })
}

// Children returns the living children of a process, zombies left out.
func Children(pid int) []int {
	return processes(func(ppid, pgrp int) bool { return ppid == pid })
}

// processes returns the living processes that want says yes to.
func processes(want func(ppid, pgrp int) bool) []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if f := Stat(pid); f != nil && f[statState] != "Z" && f[statState] != "X" {
			ppid, _ := strconv.Atoi(f[statPpid])
			pgrp, _ := strconv.Atoi(f[statPgrp])
			if want(ppid, pgrp) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// Fields of what Stat returns.
const (
	statState = 0
	statPpid  = 1
	statPgrp  = 2
	StatUser  = 11 // clock ticks of CPU time in user mode
	StatSys   = 12 // and in the kernel
)

// Stat returns the fields of /proc/PID/stat that follow the program's name, nil if there is no such
// process.
func Stat(pid int) []string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	// The name is in parentheses and may have any character in it, closing ones too.
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) <= StatSys {
		return nil
	}
	return fields
}
