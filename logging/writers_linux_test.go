// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/logging"
)

// A job is what a writer process does.
type job struct {
	Options  logging.Options
	Megabyte int64
	ID       string
	Lines    int // of each of its goroutines
	Pause    time.Duration
}

const (
	jobVariable = "MAINSTAY_TEST_LOG_JOB"
	goroutines  = 4
)

func TestMain(m *testing.M) {
	if text := os.Getenv(jobVariable); text != "" {
		if err := writeLines(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if path := os.Getenv(tornVariable); path != "" {
		if err := tearLine(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const tornVariable = "MAINSTAY_TEST_LOG_TORN"

// tearLine is the main of a process whose second line does not fit.
func tearLine(path string) error {
	limit := func(bytes uint64) error {
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: 1 << 30})
	}
	l, err := logging.New(logging.Options{LogFile: path, DefaultFormat: short}, logging.Process{Stderr: new(bytes.Buffer)})
	if err != nil {
		return err
	}
	if err := limit(1000); err != nil {
		return err
	}
	l.Logger().Info(strings.Repeat("a", 600))
	l.Logger().Info(strings.Repeat("b", 600))
	if err := limit(1 << 20); err != nil {
		return err
	}
	l.Logger().Info("c")
	return l.Close()
}

// writeLines is the main of a writer process. Each line has its number and as many letters as it says.
func writeLines(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	logging.SetMegabyte(j.Megabyte)
	l, err := logging.New(j.Options, logging.Process{Program: "prog", Worker: func() string { return j.ID }})
	if err != nil {
		return err
	}
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	over := make(chan error, 1)
	go func() {
		for range usr1 {
			if err := l.Reopen(context.Background()); err != nil {
				over <- err
				return
			}
		}
		over <- nil
	}()
	fmt.Println("ready")
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for n := range j.Lines {
				size := rand.IntN(300)
				if n%50 == 0 {
					size = 20000
				}
				l.Logger().Info(strings.Repeat("x", size)+"|", "size", size, "id", fmt.Sprintf("%s/%d/%d", j.ID, g, n))
				time.Sleep(j.Pause)
			}
		})
	}
	wg.Wait()
	signal.Stop(usr1)
	close(usr1)
	if err := <-over; err != nil {
		return err
	}
	if n := l.Lost(); n != 0 {
		return fmt.Errorf("%d lines lost", n)
	}
	return l.Close()
}

// A writer is a process that writes lines.
type writer struct {
	*exec.Cmd
	stderr bytes.Buffer
}

// startWriters starts processes that do j, and returns when all write.
func startWriters(t *testing.T, j job, n int) []*writer {
	t.Helper()
	var ws []*writer
	for i := range n {
		j.ID = strconv.Itoa(i)
		text, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		w := &writer{Cmd: exec.Command(os.Args[0])}
		w.Env = append(os.Environ(), jobVariable+"="+string(text))
		w.Stderr = &w.stderr
		out, err := w.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Process.Kill() })
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			t.Fatalf("a writer said %q, %v", line, err)
		}
		ws = append(ws, w)
	}
	return ws
}

func waitWriters(t *testing.T, ws []*writer) {
	t.Helper()
	for _, w := range ws {
		if err := w.Wait(); err != nil {
			t.Errorf("writer: %v: %s", err, w.stderr.String())
		}
	}
}

// countLines holds that the files have all lines of the writers, whole and once, and returns how many
// files there are.
func countLines(t *testing.T, pattern string, writers, lines int) int {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			id, ok := checkLine(line)
			if !ok {
				t.Errorf("%s: not a whole line: %.200q", file, line)
			}
			seen[id]++
		}
	}
	missing, twice := 0, 0
	for w := range writers {
		for g := range goroutines {
			for n := range lines {
				switch id := fmt.Sprintf("%d/%d/%d", w, g, n); {
				case seen[id] == 0:
					missing++
				case seen[id] > 1:
					twice++
				}
			}
		}
	}
	if total := writers * goroutines * lines; missing+twice > 0 || len(seen) != total {
		t.Errorf("of %d lines %d are missing, %d are there twice; %d in all", total, missing, twice, len(seen))
	}
	return len(files)
}

// checkLine returns the number of a line if it is as it was logged.
func checkLine(line string) (id string, ok bool) {
	_, rest, ok1 := strings.Cut(line, " INFO prog [-] ")
	letters, rest, ok2 := strings.Cut(rest, "| size=")
	size, rest, ok3 := strings.Cut(rest, " id=")
	id, worker, ok4 := strings.Cut(rest, " worker=")
	n, err := strconv.Atoi(size)
	whole := strings.HasPrefix(line, "20") && letters == strings.Repeat("x", n) && strings.HasPrefix(id, strings.TrimSpace(worker)+"/")
	return id, ok1 && ok2 && ok3 && ok4 && err == nil && whole && strings.HasSuffix(line, "\n")
}

func TestProcessesShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.log")
	const writers, lines = 4, 500
	ws := startWriters(t, job{Options: logging.Options{LogFile: path}, Lines: lines}, writers)
	waitWriters(t, ws)
	countLines(t, path+"*", writers, lines)
}

func TestProcessesReopen(t *testing.T) {
	for name, signals := range map[string]bool{"on USR1": true, "by themselves": false} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "p.log")
			const writers, lines = 3, 400
			o := logging.Options{LogFile: path, WatchLogFile: !signals}
			ws := startWriters(t, job{Options: o, Lines: lines, Pause: 200 * time.Microsecond}, writers)
			over := make(chan struct{})
			renames := make(chan int)
			go func() {
				n := 0
				defer func() { renames <- n }()
				for {
					select {
					case <-over:
						return
					default:
					}
					if os.Rename(path, fmt.Sprintf("%s.%d", path, n)) == nil {
						n++
					}
					if signals {
						for _, w := range ws {
							w.Process.Signal(syscall.SIGUSR1)
						}
					}
					time.Sleep(time.Millisecond)
				}
			}()
			waitWriters(t, ws)
			close(over)
			n := <-renames
			if n < 5 {
				t.Errorf("renamed %d times only", n)
			}
			countLines(t, path+"*", writers, lines)
		})
	}
}

func TestProcessesRotateBySize(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.log")
	const writers, lines = 4, 300
	o := logging.Options{LogFile: path, RotationType: "size", MaxFileSizeMB: 1, MaxFileCount: 10000}
	ws := startWriters(t, job{Options: o, Megabyte: 50_000, Lines: lines}, writers)
	waitWriters(t, ws)
	if n := countLines(t, path+"*", writers, lines); n < 10 {
		t.Errorf("%d files, want many", n)
	}
}

func TestProcessesRotateByTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.log")
	const writers, lines = 3, 250
	o := logging.Options{LogFile: path, RotationType: "interval", RotateUnit: "seconds", RotateInterval: 1}
	ws := startWriters(t, job{Options: o, Lines: lines, Pause: 10 * time.Millisecond}, writers)
	waitWriters(t, ws)
	if n := countLines(t, path+"*", writers, lines); n < 3 || n > 8 {
		t.Errorf("%d files after about 3 s, want one for each second", n)
	}
}
