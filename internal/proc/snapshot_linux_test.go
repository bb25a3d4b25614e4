// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mainstay-go/mainstay/internal/memfd"
	"github.com/mainstay-go/mainstay/internal/proc"
)

func ExampleSnapshot() {
	s := proc.Snapshot{
		"/etc/hello.conf":       {Data: []byte("workers = 2\n")},
		"/etc/hello.local.conf": {Missing: true},
	}
	fd, err := s.Memfd() // what a worker gets
	if err != nil {
		panic(err)
	}
	defer syscall.Close(fd)
	theirs, err := proc.OpenSnapshot(fd)
	fmt.Printf("%s%v %v\n", theirs["/etc/hello.conf"].Data, err, theirs.Fingerprint() == s.Fingerprint())
	// Output:
	// workers = 2
	// <nil> true
}

// someFiles make two snapshots that look alike but for how they are cut.
var someFiles = proc.Snapshot{
	"/a": {Data: []byte("text")}, "/b": {Data: []byte{}}, "/c": {Missing: true},
	"/d": {Data: []byte("\x00\xff binary \n")}, "/e \"quoted\"\n": {Data: []byte("x")},
	"/f": {Folder: true, Names: []string{"a", "b \n"}}, "/g": {Folder: true},
}

func TestSnapshotRoundTrip(t *testing.T) {
	big := proc.Snapshot{"/big": {Data: []byte(strings.Repeat("0123456789", 200_000))}}
	for name, s := range map[string]proc.Snapshot{"some files": someFiles, "none": {}, "large": big} {
		t.Run(name, func(t *testing.T) {
			fd, err := s.Memfd()
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(fd)
			got, err := proc.OpenSnapshot(fd)
			if err != nil || !maps.EqualFunc(got, s, func(a, b proc.File) bool {
				return string(a.Data) == string(b.Data) && a.Missing == b.Missing && a.Folder == b.Folder && slices.Equal(a.Names, b.Names)
			}) {
				t.Errorf("OpenSnapshot() = %v, %v, want %v", got, err, s)
			}
			if got.Fingerprint() != s.Fingerprint() {
				t.Errorf("fingerprint %s, want %s", got.Fingerprint(), s.Fingerprint())
			}
		})
	}
}

func TestOpenSnapshotRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON": "hello", "nothing": "", "another version": `{"version":99,"files":{}}`, "no version": "{}",
	} {
		fd, err := memfd.Write("test", []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if s, err := proc.OpenSnapshot(fd); err == nil {
			t.Errorf("%s: OpenSnapshot() = %v, want an error", name, s)
		}
		syscall.Close(fd)
	}
	if s, err := proc.OpenSnapshot(0); err == nil {
		t.Errorf("standard input: OpenSnapshot() = %v, want an error", s)
	}
}

func TestFingerprintsDiffer(t *testing.T) {
	file := func(s string) proc.File { return proc.File{Data: []byte(s)} }
	seen := make(map[string]proc.Snapshot)
	for _, s := range []proc.Snapshot{
		{}, {"/a": {}}, {"/a": {Missing: true}}, {"/a": file("missing")}, {"/a": file("b")}, {"/ab": {}},
		{"/a": file("x"), "/b": file("y")}, {"/a": file("y"), "/b": file("x")}, {"/a": file("x/by")},
		{"/a": {Folder: true}}, {"/a": {Folder: true, Names: []string{"b"}}}, {"/a": {Folder: true, Names: []string{"bc"}}},
		{"/a": {Folder: true, Names: []string{"b", "c"}}}, {"/a": file("folder")},
	} {
		f := s.Fingerprint()
		if other, ok := seen[f]; ok {
			t.Errorf("%v and %v share fingerprint %s", s, other, f)
		}
		seen[f] = s
		if again := maps.Clone(s).Fingerprint(); again != f {
			t.Errorf("fingerprints %s and %s of the same %v", f, again, s)
		}
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	f.Add([]byte(`{"version":1,"files":{"/a":{"data":"eA=="},"/b":{"missing":true}}}`))
	f.Add([]byte(`{"version":2,"files":{"/d":{"folder":true,"names":["a","b"]}},"mutated":{"/d":{"missing":true}}}`))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, mutated, err := proc.DecodeSnapshot(data)
		if (s == nil) == (err == nil) || mutated != nil && err != nil {
			t.Errorf("decodeSnapshot(%q) = %v, %v, %v", data, s, mutated, err)
		}
	})
}

// A snapshot of the version before: an upgraded program reads what its former self wrote.
func TestDecodeSnapshotOfVersion1(t *testing.T) {
	s, mutated, err := proc.DecodeSnapshot([]byte(`{"version":1,"files":{"/a":{"data":"eA=="},"/b":{"missing":true}}}`))
	want := proc.Snapshot{"/a": {Data: []byte("x")}, "/b": {Missing: true}}
	if err != nil || mutated != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("decodeSnapshot = %v, %v, %v, want %v", s, mutated, err, want)
	}
}

func TestReadFileRemembers(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := proc.NewProcess(proc.Alone, nil)
	if data, err := p.ReadFile("there"); err != nil || string(data) != "one" {
		t.Errorf("ReadFile = %q, %v", data, err)
	}
	if _, err := p.ReadFile("missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadFile of a missing file: %v, want %v", err, fs.ErrNotExist)
	}
	if _, err := p.ReadFile(dir); err == nil {
		t.Error("ReadFile of a folder succeeded")
	}
	want := proc.Snapshot{there: {Data: []byte("one")}, filepath.Join(dir, "missing"): {Missing: true}}
	first := p.Remembered()
	if !reflect.DeepEqual(first, want) {
		t.Errorf("Remembered() = %v, want %v", first, want)
	}
	// A reload in this process reads again.
	if err := os.WriteFile(there, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := p.ReadFile(there); err != nil || string(data) != "two" {
		t.Errorf("ReadFile once it changed = %q, %v", data, err)
	}
	if !reflect.DeepEqual(first, want) {
		t.Errorf("what was remembered before is now %v", first)
	}
	if got := string(p.Remembered()[there].Data); got != "two" {
		t.Errorf("remembered is %q, want %q", got, "two")
	}
}

// A reading is what a worker read.
type reading struct {
	Text, Err string
}

// reader reads the files of its environment.
var reader = program("reader", func() int {
	var list []reading
	for path := range strings.SplitSeq(os.Getenv("READ"), ":") {
		data, err := proc.Self().ReadFile(path)
		r := reading{Text: string(data)}
		if err != nil {
			r.Err = err.Error()
		}
		list = append(list, r)
	}
	list = append(list, reading{Text: proc.Self().Remembered().Fingerprint()})
	tell(list)
	return 0
})

func TestWorkerReadsTheSnapshot(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "old")
	launcher := proc.NewProcess(proc.Alone, nil)
	launcher.ReadFile(path("a"))
	launcher.ReadFile(path("b")) // missing
	snapshot := launcher.Remembered()
	fd, err := snapshot.Memfd()
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	write("a", "new")
	write("b", "new")
	write("c", "never read by the launcher")

	env := []string{"READ=" + strings.Join([]string{path("a"), path("b"), path("c"), path("d")}, ":")}
	for name, c := range map[string]struct {
		command proc.Command
		want    []reading
	}{
		"in a worker": {
			proc.Command{Role: proc.Worker, Snapshot: fd},
			[]reading{
				{Text: "old"}, {Err: "open " + path("b") + ": no such file or directory"}, {Text: "never read by the launcher"},
				{Err: "open " + path("d") + ": no such file or directory"}, {Text: snapshot.Fingerprint()},
			},
		},
		"in a worker without one": {
			proc.Command{Role: proc.Worker},
			[]reading{
				{Text: "new"}, {Text: "new"}, {Text: "never read by the launcher"},
				{Err: "open " + path("d") + ": no such file or directory"}, {Text: proc.Snapshot{}.Fingerprint()},
			},
		},
		"in a probe": {
			proc.Command{Role: proc.Probe, Snapshot: fd},
			[]reading{
				{Text: "new"}, {Text: "new"}, {Text: "never read by the launcher"},
				{Err: "open " + path("d") + ": no such file or directory"}, {Text: proc.Snapshot{
					path("a"): {Data: []byte("new")}, path("b"): {Data: []byte("new")},
					path("c"): {Data: []byte("never read by the launcher")}, path("d"): {Missing: true},
				}.Fingerprint()},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.command.ExtraEnv = env
			child := start(t, newSpawner(t), reader, c.command)
			if got := told[[]reading](t, child); !reflect.DeepEqual(got, c.want) {
				t.Errorf("it read %q, want %q", got, c.want)
			}
		})
	}
}

func TestSetSnapshotReplacesTheFiles(t *testing.T) {
	p := proc.NewProcess(proc.Worker, nil)
	s := proc.Snapshot{"/etc/new": {Data: []byte("new")}}
	p.SetSnapshot(s)
	s["/etc/new"] = proc.File{Data: []byte("changed behind its back")}
	if data, err := p.ReadFile("/etc/new"); err != nil || string(data) != "new" {
		t.Errorf("ReadFile = %q, %v, want %q", data, err, "new")
	}
}

func TestReadDirRemembers(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "conf.d")
	for _, name := range []string{"b", "a"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p := proc.NewProcess(proc.Alone, nil)
	want := []string{"a", "b"}
	got, err := p.ReadDir(folder)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("ReadDir = %q, %v, want %q", got, err, want)
	}
	got[0] = "changed" // the caller's, and nobody else's
	missing := filepath.Join(dir, "missing")
	if _, err := p.ReadDir(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadDir of a missing folder: %v, want %v", err, fs.ErrNotExist)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ReadDir(file); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("ReadDir of a file: %v, want %v", err, syscall.ENOTDIR)
	}
	snapshot := p.Remembered()
	if want := (proc.Snapshot{folder: {Folder: true, Names: want}, missing: {Missing: true}}); !reflect.DeepEqual(snapshot, want) {
		t.Errorf("Remembered() = %v, want %v", snapshot, want)
	}

	w := proc.NewProcess(proc.Worker, nil)
	w.SetSnapshot(snapshot)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if got, err := w.ReadDir(folder); err != nil || !slices.Equal(got, want) {
		t.Errorf("ReadDir in a worker = %q, %v, want %q", got, err, want)
	}
	if _, err := w.ReadFile(folder); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("ReadFile of a folder in a worker: %v, want %v", err, syscall.EISDIR)
	}
	if err := os.Mkdir(missing, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := w.ReadDir(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadDir of a folder that came later = %q, %v, want %v", got, err, fs.ErrNotExist)
	}
}

func TestRecallAnswersFromTheSnapshotForAWhile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("disk"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := proc.NewProcess(proc.Alone, nil)
	s := proc.Snapshot{file: {Data: []byte("snapshot")}}
	failed := errors.New("as it should")
	if err := p.Recall(s, func() error {
		if data, err := p.ReadFile(file); err != nil || string(data) != "snapshot" {
			t.Errorf("ReadFile in Recall = %q, %v", data, err)
		}
		return failed
	}); err != failed {
		t.Errorf("Recall = %v, want %v", err, failed)
	}
	if p.Remembered().Fingerprint() != s.Fingerprint() {
		t.Error("Recall left another snapshot behind")
	}
	if data, err := p.ReadFile(file); err != nil || string(data) != "disk" {
		t.Errorf("ReadFile after Recall = %q, %v", data, err)
	}
}

// mutated reads a file before and after it asks for what a mutate made of it.
var mutated = program("mutated", func() int {
	var said []string
	for range 3 {
		data, err := proc.Self().ReadFile("/app.conf")
		said = append(said, fmt.Sprintf("%s: %v %v", data, err, proc.Self().Mutated()))
	}
	tell(said)
	return 0
})

func TestWorkerTakesOverAMutate(t *testing.T) {
	before, after := proc.Snapshot{"/app.conf": {Data: []byte("before")}}, proc.Snapshot{"/app.conf": {Data: []byte("after")}}
	for name, c := range map[string]struct {
		mutated proc.Snapshot
		want    []string
	}{
		"none": {nil, []string{"before: <nil> false", "before: <nil> false", "before: <nil> false"}},
		"one":  {after, []string{"before: <nil> true", "after: <nil> false", "after: <nil> false"}},
	} {
		t.Run(name, func(t *testing.T) {
			fd, err := before.MemfdMutated(c.mutated)
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(fd)
			child := start(t, newSpawner(t), mutated, proc.Command{Role: proc.Worker, Snapshot: fd})
			if got := told[[]string](t, child); !slices.Equal(got, c.want) {
				t.Errorf("it read %q, want %q", got, c.want)
			}
		})
	}
}
