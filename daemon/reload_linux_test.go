// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// Files change between reloads and clients ask all the time. Every answer has one serial number from all
// places, and after each reload all workers have the last one.
func TestReloadUnderLoadIsNeverHalf(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			p := start(t, "--workers", fmt.Sprint(workers))
			address := p.address()
			var clients sync.WaitGroup
			var over atomic.Bool
			var answers atomic.Int64
			defer clients.Wait()
			defer over.Store(true)
			for range 4 {
				clients.Go(func() {
					for !over.Load() {
						v, err := ask(address)
						if err != nil || v.First != v.Second || v.First != v.Folder || v.Word != fmt.Sprint("word ", v.First) {
							t.Errorf("an answer with parts of several files: %+v, %v", v, err)
							return
						}
						answers.Add(1)
					}
				})
			}
			for n := 2; n < 10 && !t.Failed(); n++ {
				before := answers.Load()
				p.serial(n)
				p.reload()
				p.agree(workers, n, fmt.Sprint("word ", n))
				for end := time.Now().Add(patience); answers.Load() < before+20 && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
			}
			over.Store(true)
			clients.Wait()
			if n := answers.Load(); n < 160 {
				t.Errorf("%d answers, which is no load", n)
			}
			p.stops()
		})
	}
}

func TestRespawnedWorkerKeepsTheFilesOfItsGeneration(t *testing.T) {
	p := start(t, "--workers", "2")
	before := p.await("running", func(control.Status) bool { return true }).Snapshot
	p.serial(2)
	p.write("conf.d/later.conf", "[app]\nfirst = 99\n")
	for _, pid := range p.pids(2) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.await("replaced", func(st control.Status) bool {
			for _, w := range st.Sets[0].Slots {
				if w.Pid == pid || w.State != "running" {
					return false
				}
			}
			return true
		})
	}
	p.agree(2, 1, "word 1")
	if err := os.Remove(p.path("conf.d/later.conf")); err != nil {
		t.Fatal(err)
	}
	p.reload()
	p.agree(2, 2, "word 2")
	st := p.await("reloaded", func(st control.Status) bool { return st.Generation == 2 })
	if st.Snapshot == before || st.Snapshot == "" {
		t.Errorf("fingerprint %q, and %q before", st.Snapshot, before)
	}
	p.stops()
}

func TestReloadChangesCountsAndAddresses(t *testing.T) {
	p := prepare(t)
	p.write("conf.d/listen.conf", "[DEFAULT]\nworkers = 2\nlisten = 127.0.0.1:0\n")
	p.begin()
	p.agree(2, 1, "word 1")
	address := freeAddress(t)
	for _, workers := range []int{4, 3} {
		p.write("conf.d/listen.conf", fmt.Sprintf("[DEFAULT]\nworkers = %d\nlisten = %s\n", workers, address))
		p.reload()
		p.agree(workers, 1, "word 1")
		if got := p.address(); got != address {
			t.Errorf("it serves on %s, want %s", got, address)
		}
	}
	p.stops()
}

func TestReloadInOneProcess(t *testing.T) {
	p := prepare(t)
	p.write("conf.d/listen.conf", "[DEFAULT]\nlisten = 127.0.0.1:0\n")
	p.begin()
	first := p.address()
	p.serial(2)
	p.write("conf.d/listen.conf", "[DEFAULT]\nlisten = 127.0.0.1:0\n")
	p.reload()
	p.agree(1, 2, "word 2")
	if v := p.all(1)[0]; v.Built != "word 2" || v.Pid != p.cmd.Process.Pid {
		t.Errorf("the service was made with %+v, want word 2 in process %d", v, p.cmd.Process.Pid)
	}
	if got := p.address(); got != first {
		t.Errorf("it serves on %s, want %s still", got, first)
	}
	address := freeAddress(t)
	p.write("conf.d/listen.conf", "[DEFAULT]\nlisten = "+address+"\n")
	p.reload()
	if _, err := ask(address); err != nil {
		t.Errorf("on the new address: %v", err)
	}
	p.await("gone from the old address", func(st control.Status) bool {
		return len(st.Listeners) == 1 && st.Listeners[0].Address == address
	})

	p.write("conf.d/listen.conf", "[DEFAULT]\nworkers = 2\n")
	if out, err := p.ctl.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "workers: 2: want 0 or 1") {
		t.Errorf("reload to 2 workers = %+v, %v, want it refused", out, err)
	}
	p.stops()
}

// Every broken file is refused, with each of its errors in the log, and the old values stay.
func TestBrokenFilesAreRefused(t *testing.T) {
	for _, method := range []string{"reload", "mutate"} {
		for _, workers := range []string{"1", "2"} {
			t.Run(method+" with "+workers, func(t *testing.T) {
				p := start(t, "--workers", workers, "--restart-method", method)
				before := p.await("running", func(control.Status) bool { return true })
				for name, c := range map[string]struct {
					text string
					want []string // with the path of the file for %
				}{
					"values": {
						"[app]\nfirst = many\nsecond = 2\nsize = 10\n[DEFAULT]\ndebug = perhaps\nprocs = -1\n",
						[]string{`%:2: [app] first = "many"`, `%:4: [app] size = "10"`, `%:6: [DEFAULT] debug = "perhaps"`, `%:7: [DEFAULT] procs = "-1"`},
					},
					"grammar":            {"[app\nfirst\n", []string{"%:1: ", "%:2: "}},
					"grammar and values": {"[app]\nnothing\nfirst = x\n", []string{"%:2: ", "%:3: [app] first"}},
					"a reference":        {"[app]\nword = $nobody\n", []string{"%:2: [app] word", "nobody"}},
					"a timeout":          {"[DEFAULT]\ngraceful_shutdown_timeout = -5\n", []string{"%:2: [DEFAULT] graceful_shutdown_timeout", "-5"}},
					"the program's own":  {"[DEFAULT]\nlisten = nowhere\n", nil}, // the command line has it
					"the log's":          {"[DEFAULT]\nlog_config_append = /x\n", []string{"log_config_append"}},
				} {
					p.write("conf.d/zz.conf", c.text)
					said := len(p.err.String())
					out, err := p.ctl.Reload(t.Context())
					if c.want == nil {
						if err != nil {
							t.Errorf("%s: reload = %+v, %v", name, out, err)
						}
						continue
					}
					if err == nil {
						t.Errorf("%s: reload = %+v, want it refused", name, out)
						continue
					}
					if st := p.await("running again", func(st control.Status) bool { return st.State == "running" }); st.Snapshot == "" {
						t.Errorf("%s: status %+v", name, st)
					}
					for _, want := range c.want {
						want = strings.ReplaceAll(want, "%", p.path("conf.d/zz.conf"))
						p.eventually(said, want)
						if got := err.Error(); !strings.Contains(got, want) {
							t.Errorf("%s: refused with %q, want %q in it", name, got, want)
						}
					}
				}
				if err := os.Remove(p.path("conf.d/zz.conf")); err != nil {
					t.Fatal(err)
				}
				p.agree(len(p.pids(count(workers))), 1, "word 1")
				after := p.await("running", func(control.Status) bool { return true })
				if len(after.Sets) > 0 && after.Sets[0].Workers != before.Sets[0].Workers {
					t.Errorf("%d workers, want %d", after.Sets[0].Workers, before.Sets[0].Workers)
				}
				p.serial(2)
				p.reload()
				p.stops()
			})
		}
	}
}

func count(workers string) int { return int(workers[0] - '0') }

// eventually waits until the program says something behind what it has said before, with its quotes
// escaped or not.
func (p *program) eventually(behind int, text string) {
	p.t.Helper()
	said := func() string { return strings.ReplaceAll(p.err.String()[behind:], `\"`, `"`) }
	for end := time.Now().Add(patience); !strings.Contains(said(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("it did not say %q", text)
		}
	}
}
