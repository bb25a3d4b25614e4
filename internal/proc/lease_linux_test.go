// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/proc"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// grantBinds answers what a child asks of its listeners from table, as a launcher does, until the channel
// ends. All else that the child sends comes out of the channel that it returns.
func grantBinds(t *testing.T, c *proc.Child, table *proc.Table) <-chan wire.Message {
	t.Helper()
	others := make(chan wire.Message, 100)
	ctx := deadline(t)
	go func() {
		defer close(others)
		for {
			m, _, err := c.Conn.Receive()
			if err != nil {
				return
			}
			answer := wire.Message{Type: wire.Offer, Re: m.ID}
			if m.Type == wire.Accept {
				q, shared, err := table.Give(m.Name, proc.Place{Set: "s", Slot: 1})
				if err != nil || shared != nil {
					t.Error(err, shared)
				}
				answer.Name, answer.Addr, answer.Own = q.Key, q.Addr, q.Own
				c.Conn.Send(answer, q.FD)
				syscall.Close(q.FD)
				continue
			}
			if m.Type != wire.Bind {
				others <- m
				continue
			}
			var spec bind.Spec
			if err := json.Unmarshal(m.Spec, &spec); err != nil {
				t.Error(err)
			}
			if _, err := table.Ensure(ctx, spec); err != nil {
				answer.Error = err.Error()
				c.Conn.Send(answer)
				continue
			}
			addr, err := table.Addr(spec.Key())
			if err != nil {
				t.Error(err)
			}
			answer.Name, answer.Addr = spec.Key(), addr
			c.Conn.Send(answer)
		}
	}()
	return others
}

// A grant is a lease as a child got it.
type grant struct {
	Key, Addr, Err string
}

func grantOf(l *proc.Lease, err error) grant {
	if err != nil {
		return grant{Err: err.Error()}
	}
	return grant{Key: l.Spec.Key(), Addr: l.Addr}
}

// tenant listens as the JSON in its environment says, and serves its pid to the first who comes.
var tenant = program("tenant", func() int {
	var taken bind.Spec
	must(0, json.Unmarshal([]byte(os.Getenv("TAKEN")), &taken))
	p := proc.Self()
	first, err := p.Listen(background(), anyPort)
	grants := []grant{grantOf(first, err)}
	grants = append(grants, grantOf(p.Listen(background(), anyPort)))
	must(0, first.Close())
	first.Close()
	again, err := p.Listen(background(), anyPort)
	grants = append(grants, grantOf(again, err))
	grants = append(grants, grantOf(p.Listen(background(), taken)))
	tell(grants)

	fd := must(again.Dup())
	must(0, again.Close()) // a descriptor that was taken is its owner's
	f := os.NewFile(uintptr(fd), "listener")
	ln := must(net.FileListener(f))
	f.Close()
	conn := must(ln.Accept())
	io.WriteString(conn, "served")
	conn.Close()
	var blocks []bool
	rc := must(ln.(*net.TCPListener).SyscallConn())
	rc.Control(func(fd uintptr) {
		blocks = append(blocks, must(fcntl(int(fd), syscall.F_GETFL))&syscall.O_NONBLOCK == 0)
	})
	tell(blocks)
	tell(p.Specs())
	return 0
})

func next[T any](t *testing.T, messages <-chan wire.Message) (v T) {
	t.Helper()
	select {
	case m := <-messages:
		if err := json.Unmarshal(m.Body, &v); err != nil {
			t.Fatalf("message %+v: %v", m, err)
		}
	case <-time.After(patience):
		t.Fatal("the child says nothing")
	}
	return v
}

func TestWorkerListensOnTheLaunchersSockets(t *testing.T) {
	table := newTable(t)
	main := claim(t, table, anyPort) // what main of the launcher asked for
	table.Hold(true)
	mine, err := main.Dup()
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(mine)
	taken := bind.Spec{Network: "tcp", Address: claim(t, newTable(t), anyPort).Addr}
	env, err := json.Marshal(taken)
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, newSpawner(t), tenant, proc.Command{Role: proc.Worker, ExtraEnv: []string{"TAKEN=" + string(env)}})
	messages := grantBinds(t, c, table)

	grants := next[[]grant](t, messages)
	list := table.List()
	want := []grant{
		{Key: "tcp 127.0.0.1:0", Addr: main.Addr}, {Key: "tcp 127.0.0.1:0#1", Addr: list[1].Addr},
		{Key: "tcp 127.0.0.1:0", Addr: main.Addr}, {Err: grants[3].Err},
	}
	if !reflect.DeepEqual(grants, want) {
		t.Errorf("the worker got %+v, want %+v", grants, want)
	}
	if !strings.Contains(grants[3].Err, taken.Address) || !strings.Contains(grants[3].Err, "address already in use") {
		t.Errorf("the refusal is %q, want the launcher's error", grants[3].Err)
	}

	conn, err := net.Dial("tcp", main.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if text, err := io.ReadAll(conn); err != nil || string(text) != "served" {
		t.Errorf("from the worker came %q, %v", text, err)
	}
	if blocks := next[[]bool](t, messages); !reflect.DeepEqual(blocks, []bool{false}) || !nonBlocking(t, mine) {
		t.Errorf("the listener blocks in the worker: %v, in the launcher: %v", blocks, !nonBlocking(t, mine))
	}
	specs := next[[]bind.Spec](t, messages)
	if len(specs) != 2 || specs[0].Key() != "tcp 127.0.0.1:0" || specs[1].Key() != "tcp 127.0.0.1:0#1" {
		t.Errorf("Specs() = %+v, want the two sockets it got", specs)
	}
	if exit := wait(t, c); exit.Status != 0 {
		t.Errorf("it ended with %+v", exit)
	}
	if !nonBlocking(t, mine) {
		t.Error("the launcher's listener blocks after the worker's end")
	}
}

// child returns a process with the given role inside this one, and its launcher's end.
func child(t *testing.T, role proc.Role) (*proc.Process, *wire.Conn) {
	t.Helper()
	a, b, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	p, launcher := proc.NewProcess(role, wire.NewConn(b)), wire.NewConn(a)
	t.Cleanup(func() { launcher.Close(); p.Conn().Close() })
	return p, launcher
}

func TestProbeOnlyNotesWhatIsAskedFor(t *testing.T) {
	p, _ := child(t, proc.Probe)
	fixed := bind.Spec{Network: "tcp", Address: "192.0.2.1:80", Backlog: 7} // an address of nobody
	l, err := p.Listen(deadline(t), fixed)
	if err != nil || l.Addr != fixed.Address {
		t.Fatalf("Listen() = %+v, %v", l, err)
	}
	if _, err := l.Dup(); !errors.Is(err, proc.ErrNotServing) {
		t.Errorf("Dup: %v, want %v", err, proc.ErrNotServing)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Dup(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dup after Close: %v, want %v", err, net.ErrClosed)
	}
	for range 2 { // the first is free again, so one more is noted
		if _, err := p.Listen(deadline(t), fixed); err != nil {
			t.Fatal(err)
		}
	}
	second := fixed
	second.Ordinal = 1
	if got, want := p.Specs(), []bind.Spec{fixed, second}; !reflect.DeepEqual(got, want) {
		t.Errorf("Specs() = %+v, want %+v", got, want)
	}
}

func TestAloneListensOnItsTable(t *testing.T) {
	p := proc.NewProcess(proc.Alone, nil)
	defer p.Table().CloseAll()
	l, err := p.Listen(deadline(t), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, p.Table(), anyPort.Key())
	if specs := p.Specs(); len(specs) != 1 || specs[0] != anyPort {
		t.Errorf("Specs() = %+v", specs)
	}
	if _, err := p.Listen(deadline(t), bind.Spec{Network: "tcp", Address: l.Addr}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Listen on an address in use: %v", err)
	}
	if specs := p.Specs(); len(specs) != 1 {
		t.Errorf("a failed Listen is noted: %+v", specs)
	}
	if p.Messages() != nil || p.Signals() != nil || p.Conn() != nil {
		t.Error("it has a launcher")
	}
	if _, _, err := p.Request(deadline(t), wire.Message{Type: wire.Hello}); err == nil {
		t.Error("a request without a launcher succeeded")
	}
}

func TestListenWithoutAnAnswerEndsWithTheContext(t *testing.T) {
	p, _ := child(t, proc.Worker)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := p.Listen(ctx, anyPort)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer from the launcher") {
		t.Errorf("Listen: %v, want no answer", err)
	}
	if specs := p.Specs(); specs != nil {
		t.Errorf("a failed Listen is noted: %+v", specs)
	}
}

func TestListenWithoutALauncherFails(t *testing.T) {
	p, launcher := child(t, proc.Worker)
	launcher.Close()
	if _, err := p.Listen(deadline(t), anyPort); err == nil {
		t.Error("Listen succeeded")
	}
}

func TestRequestWaitsForRoom(t *testing.T) {
	p, launcher := child(t, proc.Worker)
	sent := 0
	for ; ; sent++ {
		err := p.Conn().Send(wire.Message{Type: wire.Log, Text: strings.Repeat("x", 10_000)})
		if errors.Is(err, wire.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, _, err := p.Request(ctx, wire.Message{Type: wire.Hello}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, wire.ErrFull) {
		t.Errorf("Request to a launcher that does not read: %v, want %v", err, wire.ErrFull)
	}
	done := make(chan error, 1)
	go func() {
		_, _, err := p.Request(deadline(t), wire.Message{Type: wire.Bind})
		done <- err
	}()
	for {
		m, _, err := launcher.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == wire.Bind {
			launcher.Send(wire.Message{Type: wire.Offer, Re: m.ID})
			break
		}
	}
	if err := <-done; err != nil {
		t.Errorf("Request once there is room: %v", err)
	}
}

func TestAnswerThatComesTooLateIsClosed(t *testing.T) {
	p, launcher := child(t, proc.Worker)
	messages := p.Messages()
	before := openFDs(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	go func() {
		m, _, _ := launcher.Receive()
		cancel(gone)
		for range 10 {
			launcher.Send(wire.Message{Type: wire.Offer, Re: m.ID}, 0)
		}
		launcher.Send(wire.Message{Type: wire.Reopen})
	}()
	if _, fds, err := p.Request(ctx, wire.Message{Type: wire.Bind}); err != nil && err != gone {
		t.Errorf("Request: %v, want %v", err, gone)
	} else {
		for _, fd := range fds { // the answer may have won
			syscall.Close(fd)
		}
	}
	if m := <-messages; m.Type != wire.Reopen {
		t.Errorf("%+v came unasked", m)
	}
	if after := openFDs(t); after > before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

func TestAnswerWhoseDescriptorIsLostIsAnError(t *testing.T) {
	p, launcher := child(t, proc.Worker)
	p.Messages()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 3 // all numbers below are taken
	done := make(chan error, 1)
	go func() {
		_, _, err := p.Request(deadline(t), wire.Message{Type: wire.Bind})
		done <- err
	}()
	m, _, err := launcher.Receive()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	sendErr := launcher.Send(wire.Message{Type: wire.Offer, Re: m.ID}, 0)
	err = <-done
	if err := errors.Join(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit), sendErr); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, wire.ErrDescriptors) {
		t.Errorf("Request: %v, want %v", err, wire.ErrDescriptors)
	}
}

func TestEndOfTheLauncherEndsRequestsAndMessages(t *testing.T) {
	p, launcher := child(t, proc.Worker)
	done := make(chan error, 1)
	go func() {
		_, _, err := p.Request(deadline(t), wire.Message{Type: wire.Bind})
		done <- err
	}()
	if _, _, err := launcher.Receive(); err != nil {
		t.Fatal(err)
	}
	launcher.Close()
	if err := <-done; err != io.EOF {
		t.Errorf("Request under way: %v, want %v", err, io.EOF)
	}
	if m, open := <-p.Messages(); open {
		t.Errorf("%+v came from nobody", m)
	}
	if _, _, err := p.Request(deadline(t), wire.Message{Type: wire.Bind}); err != io.EOF {
		t.Errorf("Request after the end: %v, want %v", err, io.EOF)
	}
}
