// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/logging"
)

// short is a format that is easy to read back.
const short = "%(message)s%(name).0s"

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// names returns the files in a folder, without the lock.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			all = append(all, e.Name())
		}
	}
	return all
}

func TestFilePaths(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for want, o := range map[string]logging.Options{
		"prog.log": {LogDir: dir},
		"a.log":    {LogDir: dir, LogFile: "a.log"},
		"b.log":    {LogDir: "/elsewhere", LogFile: filepath.Join(dir, "b.log")},
		"c.log":    {LogFile: "c.log"},
	} {
		o.DefaultFormat = short
		l := open(t, o, logging.Process{})
		if err := os.Chdir("/"); err != nil {
			t.Fatal(err)
		}
		if err := l.Reopen(context.Background()); err != nil {
			t.Fatal(err)
		}
		l.Logger().Info("x")
		if got := read(t, filepath.Join(dir, want)); got != "x\n" {
			t.Errorf("%s has %q", want, got)
		}
		if err := os.Chdir(dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFileIsNoPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.log")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := logging.New(logging.Options{LogFile: path}, logging.Process{}); err == nil || !strings.HasPrefix(err.Error(), "log_file: ") {
		t.Errorf("New with a pipe nobody reads = %v", err)
	}
}

// Whoever has the lock and does not let go costs a line a second, and the next ones nothing for ten.
func TestRotationLocked(t *testing.T) {
	defer logging.SetMegabyte(10)()
	path := filepath.Join(t.TempDir(), "p.log")
	lock, err := os.Create(filepath.Join(filepath.Dir(path), ".p.log.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		o := logging.Options{LogFile: path, DefaultFormat: short, RotationType: "size", MaxFileSizeMB: 1, MaxFileCount: 2}
		l := open(t, o, logging.Process{Stderr: &stderr})
		begin := time.Now()
		for i := range 5 {
			l.Logger().Info(fmt.Sprintf("%04d", i))
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("the lines took %v, want 1s", took)
		}
		if got := read(t, path); got != "0000\n0001\n0002\n0003\n0004\n" {
			t.Errorf("the file has %q, want all lines", got)
		}
		if got := stderr.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "locked by another process for 1s") {
			t.Errorf("standard error has %q", got)
		}
		lock.Close()
		time.Sleep(10 * time.Second)
		l.Logger().Info("0005")
		if got := read(t, path); got != "0005\n" {
			t.Errorf("the file has %q when the lock was free, want the last line", got)
		}
	})
}

func TestFileIsNoTerminal(t *testing.T) {
	_, slave := openTerminal(t)
	_, err := logging.New(logging.Options{LogFile: slave.Name()}, logging.Process{})
	if want := "log_file: " + slave.Name() + ": may block: want a file, or use_stderr"; err == nil || err.Error() != want {
		t.Errorf("New = %v, want %s", err, want)
	}
}

// A value that logs when it is written does not wait for itself.
func TestValuesThatLog(t *testing.T) {
	dir := t.TempDir()
	log, journal := listen(t, filepath.Join(dir, "log")), listen(t, filepath.Join(dir, "journal"))
	_, w := openTerminal(t)
	o := logging.Options{UseStderr: true, UseSyslog: true, UseJournal: true, LogFile: filepath.Join(dir, "p.log"), DefaultFormat: short}
	l, err := logging.NewAt(o, logging.Process{Program: "prog", Stderr: w}, journal.path, log.path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Logger().Info("outer", "v", logsItself{l.Logger()}, "error", logsItself{l.Logger()})
	if got := log.next(t); !strings.HasSuffix(got, "inner") {
		t.Errorf("syslog has %q", got)
	}
	if got := read(t, o.LogFile); !strings.HasSuffix(got, "outer v=text error=text\n") || !strings.HasPrefix(got, "inner\n") {
		t.Errorf("the file has %q", got)
	}
}

type logsItself struct{ l *slog.Logger }

func (v logsItself) Error() string {
	v.l.Info("inner")
	return "text"
}

// A line that is logged after the file was removed is in the new one, however fast it comes.
func TestFileRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.log")
	l := open(t, logging.Options{LogFile: path, DefaultFormat: short}, logging.Process{})
	for i := range 100 {
		l.Logger().Info("old")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		l.Logger().Info("new", "i", i)
		if got, want := read(t, path), fmt.Sprintf("new i=%d\n", i); got != want {
			t.Fatalf("the new file has %q, want %q", got, want)
		}
	}
}

func TestFileRenamed(t *testing.T) {
	for name, c := range map[string]struct {
		watch bool
		wait  time.Duration
	}{
		"watched":     {true, 0},
		"not watched": {false, 101 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(dir, "p.log")
				l := open(t, logging.Options{LogFile: path, DefaultFormat: short, WatchLogFile: c.watch}, logging.Process{})
				l.Logger().Info("old")
				if err := os.Rename(path, path+".1"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.wait)
				l.Logger().Info("new")
				if old, now := read(t, path+".1"), read(t, path); old != "old\n" || now != "new\n" {
					t.Errorf("the renamed file has %q, the new one %q", old, now)
				}
			})
		})
	}
}

// After Reopen nothing goes to the old file; if there is no new one, the old one stays.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "p.log")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	l := open(t, logging.Options{LogFile: path, DefaultFormat: short}, logging.Process{})
	l.Logger().Info("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("two")
	if got := read(t, path+".1") + read(t, path); got != "one\ntwo\n" {
		t.Errorf("files have %q", got)
	}
	if err := os.Rename(filepath.Dir(path), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(context.Background()); err == nil || !strings.HasPrefix(err.Error(), "log_file: ") {
		t.Errorf("Reopen without a folder = %v", err)
	}
	l.Logger().Info("three")
	if got := read(t, filepath.Join(dir, "moved", "p.log")); got != "two\nthree\n" {
		t.Errorf("the old file has %q", got)
	}
	if n := l.Lost(); n != 0 {
		t.Errorf("%d lines lost", n)
	}
}

// A full disk loses lines, says so on standard error once, and in the file when it is a file again.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.log")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	l := open(t, logging.Options{LogFile: path, DefaultFormat: short, WatchLogFile: true}, logging.Process{Stderr: &stderr})
	for range 3 {
		l.Logger().Info("x")
	}
	if got := stderr.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `option=log_file error="write `+path+`: no space left on device"`) {
		t.Errorf("standard error has %q", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("y")
	want := "y\nlog lines were lost count=3 option=log_file reason=\"write " + path + ": no space left on device\"\n"
	if got := read(t, path); got != want {
		t.Errorf("the file has %q, want %q", got, want)
	}
	if n := l.Lost(); n != 3 {
		t.Errorf("Lost() = %d, want 3", n)
	}
}

// A disk that fills in the middle of a line leaves a part of it; the next line has a line of its own. A
// limit on the size of files does the same, to a whole process.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.log")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), tornVariable+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(read(t, path), "\n")
	if len(lines) != 5 || lines[0] != strings.Repeat("a", 600) || lines[1] != strings.Repeat("b", 399) || lines[2] != "c" ||
		!strings.HasPrefix(lines[3], "log lines were lost count=1 ") {
		t.Errorf("the file has %d lines: %q", len(lines), lines)
	}
}

func TestRotateBySizeKeeps(t *testing.T) {
	defer logging.SetMegabyte(10)()
	dir := t.TempDir()
	path := filepath.Join(dir, "p.log")
	l := open(t, logging.Options{LogFile: path, DefaultFormat: short, RotationType: "Size", MaxFileSizeMB: 1, MaxFileCount: 2}, logging.Process{})
	for i := range 9 {
		l.Logger().Info(fmt.Sprintf("%04d", i)) // two make a file
	}
	var got []string
	for _, name := range names(t, dir) {
		got = append(got, name+" "+strings.ReplaceAll(read(t, filepath.Join(dir, name)), "\n", " "))
	}
	if want := []string{"p.log 0008 ", "p.log.1 0006 0007 ", "p.log.2 0004 0005 "}; !slices.Equal(got, want) {
		t.Errorf("files are %q, want %q", got, want)
	}
}

func TestRotateByTime(t *testing.T) {
	for name, c := range map[string]struct {
		o    logging.Options
		step time.Duration
		want []string
	}{
		"hours": {
			logging.Options{RotateUnit: "Hours", RotateInterval: 2, MaxFileCount: 2}, time.Hour,
			[]string{"p.log 8 9 ", "p.log.2000-01-01_04 4 5 ", "p.log.2000-01-01_06 6 7 "},
		},
		"days": {
			logging.Options{RotateUnit: "days", RotateInterval: 1}, 12 * time.Hour,
			[]string{"p.log 8 9 ", "p.log.2000-01-01 0 1 ", "p.log.2000-01-02 2 3 ", "p.log.2000-01-03 4 5 ", "p.log.2000-01-04 6 7 "},
		},
		"midnight": {
			logging.Options{RotateUnit: "midnight", RotateInterval: 1, MaxFileCount: 1}, 9 * time.Hour,
			[]string{"p.log 8 9 ", "p.log.2000-01-03 6 7 "},
		},
		"weekday": { // the first of 2000 was a Saturday: at the end of Sunday
			logging.Options{RotateUnit: "weekday", RotateInterval: 6}, 24 * time.Hour,
			[]string{"p.log 9 ", "p.log.1999-12-27 0 1 ", "p.log.2000-01-03 2 3 4 5 6 7 8 "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer inUTC()()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				c.o.LogFile, c.o.RotationType, c.o.DefaultFormat = filepath.Join(dir, "p.log"), "interval", short
				for i := range 10 {
					// Another process each time: the period is in the lock file.
					l := open(t, c.o, logging.Process{})
					l.Logger().Info(fmt.Sprint(i))
					time.Sleep(c.step)
				}
				var got []string
				for _, name := range names(t, dir) {
					got = append(got, name+" "+strings.ReplaceAll(read(t, filepath.Join(dir, name)), "\n", " "))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("files are %q, want %q", got, c.want)
				}
			})
		})
	}
}

// inUTC is for tests with a fake clock, whose days begin in UTC.
func inUTC() (restore func()) {
	was := time.Local
	time.Local = time.UTC
	return func() { time.Local = was }
}

// A file that was left by an earlier program is rotated by its last change.
func TestRotateOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.log")
	if err := os.WriteFile(path, []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	day := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(path, day, day); err != nil {
		t.Fatal(err)
	}
	l := open(t, logging.Options{LogFile: path, DefaultFormat: short, RotationType: "interval", RotateInterval: 1}, logging.Process{})
	l.Logger().Info("new")
	if got := read(t, path+"."+day.Format("2006-01-02")) + read(t, path); got != "old\nnew\n" {
		t.Errorf("files have %q", got)
	}
}
