// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/internal/proc"
)

// A collector keeps what is written to it.
type collector struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (c *collector) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.Write(p)
}

func (c *collector) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}

var complainer = program("complainer", func() int {
	for i := range 30 {
		fmt.Fprintf(os.Stderr, "line %d\n", i)
	}
	fmt.Fprint(os.Stderr, "no line end")
	return 1
})

func TestTailHasTheLastLinesOnceTheProcessEnded(t *testing.T) {
	var all collector
	c := start(t, newSpawner(t), complainer, proc.Command{Role: proc.Worker, Stderr: &all})
	wait(t, c)
	var want []string
	for i := 11; i < 30; i++ {
		want = append(want, fmt.Sprintf("line %d", i))
	}
	want = append(want, "no line end")
	if got := c.Stderr.Lines(); !slices.Equal(got, want) {
		t.Errorf("Lines() = %q, want %q", got, want)
	}
	<-c.Stderr.Done()
	c.Close()
	if got := c.Stderr.Lines(); !slices.Equal(got, want) {
		t.Errorf("Lines() once all was passed on = %q, want %q", got, want)
	}
	if got := all.String(); strings.Count(got, "\n") != 31 || !strings.HasPrefix(got, "line 0\nline 1\n") || !strings.HasSuffix(got, "\nno line end\n") {
		t.Errorf("passed on: %q", got)
	}
}

var crasher = program("crasher", func() int {
	for range 50 {
		go func() { select {} }()
	}
	panic("boom")
})

func TestTailHasThePanicBeforeTheStacks(t *testing.T) {
	c := start(t, newSpawner(t), crasher, proc.Command{
		Role: proc.Worker, Stderr: io.Discard, ExtraEnv: []string{"GOTRACEBACK=all"},
	})
	if exit := wait(t, c); exit.Status.ExitStatus() != 2 {
		t.Errorf("it ended with %+v, want status 2", exit)
	}
	if got := c.Stderr.Crash(); got != "panic: boom" {
		t.Errorf("Crash() = %q, want %q", got, "panic: boom")
	}
	if got := c.Stderr.Lines(); len(got) != proc.TailLines || slices.Contains(got, "panic: boom") {
		t.Errorf("Lines() = %q, want the end of the stacks", got)
	}
	quiet := start(t, newSpawner(t), complainer, proc.Command{Role: proc.Worker, Stderr: io.Discard})
	wait(t, quiet)
	if got := quiet.Stderr.Crash(); got != "" {
		t.Errorf("Crash() = %q of a process that did not", got)
	}
}

// parent leaves a process behind that holds its standard error.
var parent = program("parent", func() int {
	cmd := exec.Command("/bin/sleep", "60")
	cmd.Stderr = os.Stderr
	must(0, cmd.Start())
	fmt.Fprintln(os.Stderr, "started")
	tell(cmd.Process.Pid)
	return 0
})

func TestTailDoesNotWaitForWhomTheProcessLeftBehind(t *testing.T) {
	c := start(t, newSpawner(t), parent, proc.Command{Role: proc.Worker, Stderr: io.Discard})
	left, err := os.FindProcess(told[int](t, c))
	if err != nil {
		t.Fatal(err)
	}
	defer left.Kill()
	wait(t, c)
	if got := c.Stderr.Lines(); !slices.Equal(got, []string{"started"}) {
		t.Errorf("Lines() = %q, want what the process wrote", got)
	}
	c.Close()
	select {
	case <-c.Stderr.Done():
		t.Error("the tail is done while a process may still write")
	default:
	}
	if err := left.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Stderr.Done():
	case <-time.After(patience):
		t.Error("the tail is not done though nobody can write any more")
	}
}

// loudBytes is more than a pipe and the queue of an Output take together.
const loudBytes = 3 << 20

var loud = program("loud", func() int {
	row := strings.Repeat("x", 99) + "\n"
	for range loudBytes / len(row) {
		fmt.Fprint(os.Stderr, row)
	}
	fmt.Fprintln(os.Stderr, "last line")
	return 0
})

// loudLauncher has a worker that writes more than anybody reads.
var loudLauncher = program("loud launcher", func() int {
	s := must(proc.NewSpawner())
	c := mustStart(s, loud)
	exit := c.Wait()
	lines := c.Stderr.Lines()
	fmt.Println("ended", exit.Status.ExitStatus(), lines[len(lines)-1])
	fmt.Println("flushed", proc.Stderr().Flush(10*time.Millisecond))
	io.Copy(io.Discard, os.Stdin) // until the test allows it to end
	fmt.Println("flushed", proc.Stderr().Flush(patience))
	return 0
})

func TestWorkerNeverWaitsForTheLaunchersStandardError(t *testing.T) {
	for name, c := range map[string]struct {
		blocking bool
	}{
		"full":                   {true},
		"full, and non-blocking": {false},
	} {
		t.Run(name, func(t *testing.T) {
			var p [2]int
			if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			r, w := os.NewFile(uintptr(p[0]), "r"), p[1]
			defer r.Close()
			syscall.SetNonblock(w, true)
			full := bytes.Repeat([]byte("y"), 4096)
			for {
				if _, err := syscall.Write(w, full); err == syscall.EAGAIN {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			syscall.SetNonblock(w, !c.blocking)
			stdin, leave, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer leave.Close()
			pid, out := launch(t, loudLauncher, [3]int{int(stdin.Fd()), -1, w})
			stdin.Close()
			syscall.Close(w)
			if got := line(t, out); got != "ended 0 last line" {
				t.Errorf("with nobody reading, the launcher says %q", got)
			}
			if got := line(t, out); got != "flushed false" {
				t.Errorf("with nobody reading, the launcher says %q", got)
			}
			text := make(chan string)
			go func() {
				b, _ := io.ReadAll(r)
				text <- string(b)
			}()
			leave.Close()
			if got := line(t, out); got != "flushed true" {
				t.Errorf("with somebody reading, the launcher says %q", got)
			}
			pid.wait(t)
			got := strings.TrimLeft(<-text, "y")
			if !strings.HasSuffix(got, "last line\n") || !strings.Contains(got, "lines dropped") {
				t.Errorf("%d bytes came, which end in %q, want the last line and a word on those dropped", len(got), got[max(0, len(got)-100):])
			}
			checkDropped(t, got)
		})
	}
	t.Run("gone", func(t *testing.T) {
		var p [2]int
		if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		syscall.Close(p[0])
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		pid, out := launch(t, loudLauncher, [3]int{int(null.Fd()), -1, p[1]})
		syscall.Close(p[1])
		for _, want := range []string{"ended 0 last line", "flushed", "flushed true"} {
			if got := line(t, out); !strings.HasPrefix(got, want) {
				t.Errorf("the launcher says %q, want %q", got, want)
			}
		}
		pid.wait(t)
	})
}

// checkDropped adds up what came and what is said not to have come.
func checkDropped(t *testing.T, text string) {
	t.Helper()
	sum := 0
	for line := range strings.Lines(text) {
		var n int
		if _, err := fmt.Sscanf(line, "mainstay: %d lines dropped", &n); err == nil {
			sum += n
		} else {
			sum++
		}
	}
	if want := loudBytes/100 + 1; sum != want {
		t.Errorf("%d lines came or were dropped, want %d", sum, want)
	}
}

func TestOutputKeepsOrder(t *testing.T) {
	var all collector
	o := proc.NewOutput(&all)
	var want strings.Builder
	for i := range 1000 {
		fmt.Fprintf(o, "%d\n", i)
		fmt.Fprintf(&want, "%d\n", i)
	}
	if !o.Flush(patience) || all.String() != want.String() {
		t.Errorf("%d bytes were written, want %d in order", len(all.String()), want.Len())
	}
	if n, err := o.Write(nil); n != 0 || err != nil || !o.Flush(0) {
		t.Errorf("Write of nothing: %d, %v", n, err)
	}
}

// A valve is a writer that lets nothing through until it is opened.
type valve struct {
	open chan struct{}
	collector
}

func (v *valve) Write(p []byte) (int, error) {
	<-v.open
	return v.collector.Write(p)
}

func TestOutputDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &valve{open: make(chan struct{})}
		o := proc.NewOutput(v)
		row := strings.Repeat("x", 1022) // with the number and the line end at least 1 KiB
		const rows = 3 * proc.OutputQueue >> 10
		for i := range rows {
			io.WriteString(o, strconv.Itoa(i)+row+"\n")
			synctest.Wait()
		}
		if o.Flush(time.Second) {
			t.Error("Flush says that all is written")
		}
		close(v.open)
		if !o.Flush(time.Second) {
			t.Error("Flush says that something is left")
		}
		lines := strings.Split(strings.TrimSpace(v.String()), "\n")
		dropped := 0
		if _, err := fmt.Sscanf(lines[1], "mainstay: %d lines dropped", &dropped); err != nil {
			t.Fatalf("the second line is %q, want a word on those dropped", lines[1])
		}
		if lines[0][:2] != "0x" || dropped+len(lines)-1 != rows || !strings.HasPrefix(lines[len(lines)-1], strconv.Itoa(rows-1)+"x") {
			t.Errorf("%d lines of %d came, %d are said to be dropped", len(lines)-1, rows, dropped)
		}
	})
}

func TestLinesAreCut(t *testing.T) {
	for name, c := range map[string]struct {
		writes []string
		passed []string
		last   []string
	}{
		"nothing":             {nil, nil, nil},
		"whole lines":         {[]string{"a\nb\n", "c\n"}, []string{"a\nb\n", "c\n"}, []string{"a", "b", "c"}},
		"in pieces":           {[]string{"a", "b\nc", "\n"}, []string{"ab\n", "c\n"}, []string{"ab", "c"}},
		"an open end":         {[]string{"a\nb"}, []string{"a\n", "b\n"}, []string{"a", "b"}},
		"empty lines":         {[]string{"\n\n"}, []string{"\n\n"}, []string{"", ""}},
		"of another system":   {[]string{"a\r\n"}, []string{"a\r\n"}, []string{"a"}},
		"more than is kept":   {[]string{strings.Repeat("z\n", 50)}, []string{strings.Repeat("z\n", 50)}, slices.Repeat([]string{"z"}, proc.TailLines)},
		"longer than is kept": {[]string{strings.Repeat("w", 10000) + "\n"}, []string{strings.Repeat("w", 10000) + "\n"}, []string{strings.Repeat("w", proc.TailBytes)}},
		"longer than a line is": {[]string{strings.Repeat("v", proc.LongestLine), "v\n"}, []string{strings.Repeat("v", proc.LongestLine) + "\n", "v\n"},
			[]string{"v"}},
	} {
		t.Run(name, func(t *testing.T) {
			var passed []string
			l := proc.NewLines(func(p []byte) { passed = append(passed, string(p)) })
			for _, s := range c.writes {
				l.Add([]byte(s))
			}
			if got := l.Last(); !slices.Equal(got, c.last) {
				t.Errorf("last lines %q, want %q", got, c.last)
			}
			l.Flush()
			if !slices.Equal(passed, c.passed) {
				t.Errorf("passed on %q, want %q", passed, c.passed)
			}
			if got := l.Last(); !slices.Equal(got, c.last) {
				t.Errorf("last lines at the end %q, want %q", got, c.last)
			}
		})
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"), 2)
	f.Add(bytes.Repeat([]byte("0123456789\n"), 2000), 700)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		var passed []byte
		l := proc.NewLines(func(p []byte) {
			if len(p) == 0 || p[len(p)-1] != '\n' {
				t.Fatalf("passed on %q, which is no whole line", p)
			}
			passed = append(passed, p...)
		})
		for piece := range slices.Chunk(text, min(max(size, 1), 5000)) {
			l.Add(piece)
		}
		l.Flush()
		want := bytes.Clone(text)
		if len(want) > 0 && want[len(want)-1] != '\n' {
			want = append(want, '\n')
		}
		if len(text) < proc.LongestLine && !bytes.Equal(passed, want) {
			t.Errorf("passed on %q, want %q", passed, want)
		}
		sum := 0
		for _, s := range l.Last() {
			sum += len(s)
		}
		if len(l.Last()) > proc.TailLines || sum > proc.TailBytes {
			t.Errorf("kept %d lines of %d bytes", len(l.Last()), sum)
		}
	})
}
