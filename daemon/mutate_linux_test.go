// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/control"
)

// mutable is a file with options that a mutate changes, one that it does not, and a secret.
func mutable(word, token, first string) string {
	return fmt.Sprintf("[app]\nword = %s\ntoken = %s\nfirst = %s\n", word, token, first)
}

func TestSVC10MutateInOneProcess(t *testing.T) {
	p := start(t, "--restart-method", "mutate")
	if v := p.all(1)[0]; v.Hooks != 0 || v.Resets != 0 {
		t.Errorf("before HUP a worker sees %+v", v)
	}
	p.write("conf.d/zz.conf", mutable("new", "s3cret", "5"))
	p.signal(syscall.SIGHUP)
	p.said(1, "option changed", "app.word", `old="word 1"`, "new=new")
	p.await("mutated", func(st control.Status) bool { return st.Generation == 2 && st.State == "running" })
	v := p.all(1)[0]
	if v.Word != "new" || v.First != 1 || v.Hooks != 1 || v.Resets != 1 || v.Built != "word 1" {
		t.Errorf("after HUP a worker sees %+v", v)
	}
	p.stops()
}

func TestSVC11MutateOfOneWorkerProcess(t *testing.T) {
	mutateOverProcesses(t, 1)
}

func TestSVC25HupReadsFilesOnceAndResetsOnce(t *testing.T) {
	mutateOverProcesses(t, 3)
}

// mutateOverProcesses mutates some worker processes, kills one, and checks that all agree.
func mutateOverProcesses(t *testing.T, workers int) {
	p := prepare(t, "--restart-method", "mutate", "--listen", "127.0.0.1:0")
	p.cmd.Env = append(p.cmd.Env, processesEnv+"=1")
	p.write("conf.d/zz.conf", fmt.Sprintf("[DEFAULT]\nworkers = %d\n", workers))
	p.begin()
	before := p.pids(workers)
	fingerprint := p.await("running", func(control.Status) bool { return true }).Snapshot

	p.write("conf.d/zz.conf", fmt.Sprintf("[DEFAULT]\nworkers = %d\n", workers+1)+mutable("new", "s3cret", "5"))
	p.signal(syscall.SIGHUP)
	st := p.await("mutated", func(st control.Status) bool { return st.Generation == 2 && st.State == "running" })
	if st.Snapshot == fingerprint {
		t.Errorf("the fingerprint is %s still", fingerprint)
	}
	check := func(resets int32) {
		t.Helper()
		for _, v := range p.all(workers) {
			if v.Word != "new" || v.First != 1 || v.Resets > 1 || v.Resets < resets {
				t.Errorf("a worker sees %+v, want word new, first 1", v)
			}
		}
	}
	check(1)
	if after := p.pids(workers); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("workers %v became %v, want the same", before, after)
	}
	// A line for each change, from the launcher alone, and a warning for what a reload would change.
	p.said(1, "INFO", "option changed", "app.word", `old="word 1"`, "new=new")
	p.said(1, "INFO", "option changed", "app.token", "old=****", "new=****")
	p.said(1, "WARNING", "ignored change to immutable option: a reload is needed", "app.first", "old=1", "new=5")
	p.said(1, "WARNING", "ignored change to immutable option: a reload is needed", "DEFAULT.workers")
	if strings.Contains(p.err.String(), "s3cret") {
		t.Error("it has told a secret")
	}

	// A worker that comes later is as those that were there, whatever the disk says by now.
	p.write("conf.d/zz.conf", mutable("later", "other", "7"))
	killed := p.pids(workers)[0]
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.await("replaced", func(st control.Status) bool {
		for _, w := range st.Sets[0].Slots {
			if w.Pid == killed || w.State != "running" {
				return false
			}
		}
		return true
	})
	check(0)
	p.stops()
}

func TestMutateOfDebug(t *testing.T) {
	for _, workers := range []int{1, 2} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			p := start(t, "--restart-method", "mutate", "--workers", fmt.Sprint(workers))
			p.allMarked(workers, "off")
			for i, debug := range []bool{true, false, true} {
				p.write("conf.d/zz.conf", fmt.Sprintf("[DEFAULT]\ndebug = %v\n", debug))
				p.signal(syscall.SIGHUP)
				p.await("mutated", func(st control.Status) bool { return st.Generation == i+2 && st.State == "running" })
				mark := map[bool]string{true: fmt.Sprint("on", i), false: "off"}[debug]
				for _, v := range p.allMarked(workers, mark) {
					if v.Debug != debug {
						t.Errorf("a worker sees %+v, want debug %v", v, debug)
					}
				}
				if debug {
					p.eventually(0, "asked mark="+mark)
				}
			}
			p.said(2, "option changed", "DEFAULT.debug", "old=False", "new=True")
			p.said(1, "option changed", "DEFAULT.debug", "old=True", "new=False")
			p.stops()
			p.said(0, "asked mark=off")
		})
	}
}
