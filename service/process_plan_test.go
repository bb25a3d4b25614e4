// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
)

// listed has a set of two workers for each word in its file, each after the one before.
var listed = asProgram("listed", func() {
	words, err := service.ReadFile(os.Getenv(settingsVar))
	if err != nil {
		service.Exit(err)
	}
	var sets []service.Set
	var after []string
	for _, name := range strings.Fields(string(words)) {
		sets = append(sets, service.Set{Workers: 2, Services: []service.Service{narrate(name)}, After: after})
		after = []string{name}
	}
	runSets(baseOptions(), sets...)
})

// A wordFile is the configuration file of such programs.
type wordFile struct {
	t    *testing.T
	path string
}

func newWordFile(t *testing.T, words string) wordFile {
	f := wordFile{t, filepath.Join(t.TempDir(), "words")}
	f.write(words)
	return f
}

func (f wordFile) write(words string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(words), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func TestReloadAddsAndRemovesSets(t *testing.T) {
	t.Parallel()
	file := newWordFile(t, "a b")
	f := startFleet(t, listed, withEnv(settingsVar+"="+file.path))
	f.pids("a", 2)
	f.pids("b", 2)
	for _, change := range []struct{ words, gone string }{{"b c", "a"}, {"c d b", ""}, {"d", "bc"}, {"a d", ""}} {
		file.write(change.words)
		if out, err := f.ctl.Reload(t.Context()); err != nil {
			t.Fatalf("reload to %q = %+v, %v", change.words, out, err)
		}
		var names []string
		for _, set := range f.up().Sets {
			names = append(names, set.Name)
		}
		want := strings.Fields(change.words)
		if slices.Sort(names); !slices.Equal(names, slices.Sorted(slices.Values(want))) {
			t.Errorf("sets %v, want %v", names, want)
		}
		for _, name := range strings.Split(change.gone, "") {
			f.seen(2, name+" shutdown stop")
		}
	}
	file.write("")
	if out, err := f.ctl.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "sets: none") {
		t.Errorf("reload to nothing = %+v, %v, want it refused", out, err)
	}
	f.pids("a", 2)
	f.pids("d", 2)
	f.stops()
}

// launched has as many workers as its file says, by Launch.
var launched = asProgram("launched", func() {
	data, err := service.ReadFile(os.Getenv(settingsVar))
	if err != nil {
		service.Exit(err)
	}
	opts := baseOptions()
	fmt.Sscan(string(data), &opts.Workers)
	service.Exit(service.Launch(context.Background(), opts, narrate("api")))
})

// Launch decides by the number of workers where services run, but what runs already stays what it is.
func TestLaunchKeepsItsWorkersWhenOneIsLeft(t *testing.T) {
	t.Parallel()
	file := newWordFile(t, "3")
	f := startFleet(t, launched, withEnv(settingsVar+"="+file.path))
	f.pids("demo", 3)
	for _, workers := range []int{1, 2, 0} {
		file.write(fmt.Sprint(workers))
		if out, err := f.ctl.Reload(t.Context()); err != nil {
			t.Fatalf("reload = %+v, %v", out, err)
		}
		pids := f.pids("demo", max(workers, 1))
		if slices.Contains(pids, f.pid()) {
			t.Errorf("the service runs in the launcher")
		}
		sendSignal(t, pids[0], syscall.SIGKILL)
		f.goes(pids[0])
		f.pids("demo", max(workers, 1))
	}
	f.stops()
}

// unixDesk serves on a unix socket.
var unixDesk = asProgram("unixDesk", func() {
	ln, err := socket.Listen(context.Background(), "unix", os.Args[1])
	if err != nil {
		service.Exit(err)
	}
	runSets(baseOptions(), service.Set{Name: "desk", Workers: 2, Services: []service.Service{deskOn(ln)}})
})

func TestUnixSocketIsThereAsLongAsItIsServed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "desk")
	f := startFleet(t, unixDesk, withArgs(path))
	ask := func() {
		t.Helper()
		conn, err := net.DialTimeout("unix", path, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintln(conn, "pid")
		if n, err := conn.Read(make([]byte, 100)); err != nil {
			t.Errorf("answer of %d bytes, %v", n, err)
		}
	}
	if st := f.up(); len(st.Listeners) != 1 || st.Listeners[0] != (control.Listener{Network: "unix", Address: path}) {
		t.Errorf("listeners %v, want unix %s", st.Listeners, path)
	}
	ask()
	sendSignal(t, f.pids("desk", 2)[0], syscall.SIGKILL)
	ask()
	f.up()
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	ask()
	f.up()
	f.stops()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the file of the socket is left: %v", err)
	}
}

// Workers and probes are the program that runs, even if its file is another by now, or gone.
func TestProgramWhoseFileIsGone(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	copyFile(t, path, exe)
	f := startFleet(t, pair, func(c *exec.Cmd) { c.Path = path })
	f.pids("api", 2)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f.signal(syscall.SIGHUP)
	f.seen(1, "reloaded 2")
	sendSignal(t, f.pids("api", 2)[0], syscall.SIGKILL)
	f.seen(5, "ready api/")
	f.pids("api", 2)
	f.stops()
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		t.Fatal(err)
	}
}

var needsFile = asProgram("needsFile", func() {
	opts := baseOptions()
	opts.Files = []string{os.Getenv(settingsVar)}
	runSets(opts, service.Set{Workers: 1, Services: []service.Service{narrate("api")}})
})

func TestFilesOfOptionsMustBeThere(t *testing.T) {
	t.Parallel()
	file := newWordFile(t, "any")
	f := startFleet(t, needsFile, withEnv(settingsVar+"="+file.path))
	before := f.up()
	if err := os.Remove(file.path); err != nil {
		t.Fatal(err)
	}
	if out, err := f.ctl.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), file.path) {
		t.Errorf("reload = %+v, %v, want it refused for %s", out, err, file.path)
	}
	if after := f.up(); after.Snapshot != before.Snapshot {
		t.Errorf("snapshot %s became %s", before.Snapshot, after.Snapshot)
	}
	f.stops()

	again := startFleet(t, needsFile, withEnv(settingsVar+"="+file.path))
	again.ends(service.ExitFailed)
	again.said(1, myName+": files: open "+file.path)
}
