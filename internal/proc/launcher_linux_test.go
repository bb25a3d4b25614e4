// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"bufio"
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
	"time"

	"github.com/mainstay-go/mainstay/internal/proc"
)

// survivor notices that its launcher is gone and says so, on what is its standard error by then.
var survivor = program("survivor", func() int {
	fmt.Fprintln(os.Stderr, "survivor: up")
	tell("up")
	for range proc.Self().Messages() {
	}
	// The end of the pipe may be seen a moment later than that of the channel. To write there must not
	// be the end of the process.
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := os.Stderr.WriteString("\n"); err != nil {
			break
		}
	}
	proc.Self().LostLauncher()
	fmt.Fprintln(os.Stderr, "survivor: the launcher is gone")
	return 0
})

var mortal = program("mortal", func() int {
	s := must(proc.NewSpawner())
	c := mustStart(s, survivor)
	must(0, ignore(c.Conn.Receive()))
	fmt.Println("worker", c.Pid)
	time.Sleep(patience)
	return 0
})

func ignore(_, _ any, err error) error { return err }

func TestWorkerOutlivesAKilledLauncher(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	launcher, out := launch(t, mortal, [3]int{int(null.Fd()), -1, int(w.Fd())})
	w.Close()
	var pid int
	if _, err := fmt.Sscanf(line(t, out), "worker %d", &pid); err != nil {
		t.Fatal(err)
	}
	if err := launcher.Kill(); err != nil {
		t.Fatal(err)
	}
	var got []string
	lines := bufio.NewScanner(r)
	for lines.Scan() { // up to the end of the last process that has the launcher's standard error
		got = append(got, lines.Text())
	}
	if lines.Err() != nil {
		t.Errorf("the worker lives on: %v", lines.Err())
	}
	// What passed through the launcher may have been lost with it.
	got = slices.DeleteFunc(got, func(s string) bool { return s == "survivor: up" || s == "" })
	if want := []string{"survivor: the launcher is gone"}; !slices.Equal(got, want) {
		t.Errorf("the launcher's standard error has %q, want %q", got, want)
	}
}

// closed is a launcher that closed its standard descriptors, the lowest numbers. What it says comes
// out of a pipe in its descriptor 3.
var closed = program("closed", func() int {
	result := os.NewFile(3, "result")
	os.Stdin.Close()
	os.Stdout.Close()
	os.Stderr.Close()
	s, err := proc.NewSpawner()
	for range 2 {
		var c *proc.Child
		if err == nil {
			c, err = s.Start(proc.Command{Role: proc.Worker, ExtraEnv: []string{programVar + "=" + describer}})
		}
		if err != nil {
			fmt.Fprintln(result, err)
			return 1
		}
		m, _, err := c.Conn.Receive()
		fmt.Fprintln(result, m.Type, err, c.Wait().Status)
	}
	return 0
})

func TestLauncherWithoutStandardDescriptors(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	outer(t, closed, func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{w} })
	w.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "plan <nil> 0\nplan <nil> 0\n" {
		t.Errorf("it says %q, %v, want that both workers ran", got, err)
	}
}

// strange holds what a launcher should not.
var strange = program("strange", func() int {
	dir := os.Getenv("DIR")
	must(proc.Self().Listen(background(), anyPort))
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	conn := must(net.Dial("tcp", ln.Addr().String()))
	unix := must(net.Listen("unix", filepath.Join(dir, "s")))
	packet := must(net.ListenPacket("udp", "127.0.0.1:0"))
	db := must(os.Create(filepath.Join(dir, "db")))
	log := must(os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600))
	conf := must(os.Open(filepath.Join(dir, "db")))
	s := must(proc.NewSpawner())
	c := mustStart(s, sleeper)
	fmt.Println(ln.Addr(), conn.RemoteAddr(), packet.LocalAddr())
	for _, what := range proc.Strange() {
		_, what, _ = strings.Cut(what, ", ")
		fmt.Println(what)
	}
	fmt.Println("done")
	s.Kill(c.Pid, syscall.SIGKILL)
	c.Wait()
	for _, c := range []interface{ Close() error }{ln, conn, unix, packet, db, log, conf} {
		c.Close()
	}
	return 0
})

func TestStrangeNamesWhatMainOpened(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DIR", dir)
	_, out := outer(t, strange, nil)
	var ln, conn, packet string
	if _, err := fmt.Sscan(line(t, out), &ln, &conn, &packet); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"TCP listener on " + ln, "TCP to " + conn, "UDP on " + packet,
		"file " + filepath.Join(dir, "db"), "unix socket listener on " + filepath.Join(dir, "s"),
	}
	var got []string
	for s := line(t, out); s != "done"; s = line(t, out) {
		got = append(got, s)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Strange() = %q, want %q", got, want)
	}
}
