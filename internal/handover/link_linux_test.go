// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/handover"
)

// joined returns the ends of a channel: of the one who gives, and of the one who takes.
func joined(t *testing.T) (out, in int) {
	t.Helper()
	out, in, err := handover.Pair()
	if err != nil {
		t.Fatal(err)
	}
	return out, in
}

// Two hubs stand for two processes.
func TestBetweenProcesses(t *testing.T) {
	for name, network := range map[string]string{"TCP": "tcp", "unix": "unix"} {
		t.Run(name, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "s")
			}
			ln := listen(t, network, address)
			a, b := handover.NewHub(), handover.NewHub()
			old, next := &server{}, &server{}
			p := a.Open(key, old)
			old.closed.Store(true)
			b.Open(key, next)
			out, in := joined(t)
			b.Predecessor(in)
			a.Successor(out)
			const n = 3 * handover.Window
			clients := map[string]net.Conn{}
			var last net.Conn
			for range n {
				client, served := connect(t, ln)
				if tc, ok := served.(*net.TCPConn); ok {
					tc.SetKeepAlivePeriod(123 * time.Second)
				}
				clients[client.LocalAddr().String()], last = client, client
				if !p.Give(served, time.Now().Add(-time.Hour), false) {
					t.Fatal("a connection was not taken")
				}
			}
			for _, arrived := range next.await(t, n) {
				if age := time.Since(arrived.Since); age < time.Hour || age > time.Hour+time.Minute {
					t.Errorf("a connection of an hour arrives as one of %v", age)
				}
				if network == "tcp" {
					arrived.Used()
					converse(t, clients[arrived.Conn.RemoteAddr().String()], arrived.Conn)
					if got := keepIdle(t, arrived.Conn); got != 123 {
						t.Errorf("TCP_KEEPIDLE is %d s, want that of before, 123", got)
					}
				}
			}
			if !eventually(func() bool { return p.Pending() == 0 }) {
				t.Errorf("%d connections are pending", p.Pending())
			}
			if len(old.arrivals()) > 0 {
				t.Errorf("%d connections came back", len(old.arrivals()))
			}
			// No copy that was not used may hold a connection open once its port is closed.
			p.Close()
			for _, arrived := range next.arrivals() {
				arrived.Conn.Close()
			}
			if _, err := last.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("reading from a connection that was closed there: %v, want EOF", err)
			}
		})
	}
}

func keepIdle(t *testing.T, nc net.Conn) (v int) {
	t.Helper()
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) {
			v, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A copy that its taker uses is let go: the end of the connection is seen at once.
func TestUsedCopiesAreClosed(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	a, b := handover.NewHub(), handover.NewHub()
	next := &server{}
	p := a.Open(key, &server{})
	b.Open(key, next)
	out, in := joined(t)
	b.Predecessor(in)
	a.Successor(out)
	client, served := connect(t, ln)
	p.Give(served, time.Now(), false)
	arrived := next.await(t, 1)[0]
	arrived.Used()
	arrived.Conn.Close()
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v, want EOF", err)
	}
}

// A rough is a taker by hand.
type rough struct {
	t  *testing.T
	fd int
}

func (r rough) send(b []byte) {
	r.t.Helper()
	if err := syscall.Sendmsg(r.fd, b, nil, nil, syscall.MSG_NOSIGNAL); err != nil {
		r.t.Fatal(err)
	}
}

// receive returns the next packet and its descriptor, -1 for none.
func (r rough) receive() (b []byte, fd int) {
	r.t.Helper()
	b, oob := make([]byte, 4096), make([]byte, 64)
	syscall.SetNonblock(r.fd, false)
	n, on, _, _, err := syscall.Recvmsg(r.fd, b, oob, syscall.MSG_CMSG_CLOEXEC)
	if err != nil {
		r.t.Fatal(err)
	}
	fd = -1
	if ms, _ := syscall.ParseSocketControlMessage(oob[:on]); len(ms) == 1 {
		fds, _ := syscall.ParseUnixRights(&ms[0])
		fd = fds[0]
		r.t.Cleanup(func() { syscall.Close(fd) })
	}
	return b[:n], fd
}

// meet joins a port with a taker by hand that has said hello.
func meet(t *testing.T, hello []byte) (*handover.Port, *server, rough) {
	t.Helper()
	h, owner := handover.NewHub(), &server{}
	p := h.Open(key, owner)
	owner.closed.Store(true)
	out, in := joined(t)
	h.Successor(out)
	r := rough{t, in}
	if b, _ := r.receive(); string(b) != string(handover.HelloPacket(handover.Version)) {
		t.Fatalf("the giver begins with %q", b)
	}
	if hello != nil {
		r.send(hello)
	}
	return p, owner, r
}

// Whatever a taker has not used comes back when it dies, be it queued, in flight or taken.
func TestTakerDies(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	p, owner, r := meet(t, handover.HelloPacket(handover.Version, key))
	const n = 2 * handover.Window
	var clients []net.Conn
	for range n {
		client, served := connect(t, ln)
		clients = append(clients, client)
		p.Give(served, time.Now(), false)
	}
	var used []int
	for i := range 10 {
		b, fd := r.receive()
		_, id, _ := handover.ParsePacket(b)
		r.send(handover.TookPacket(id))
		if i < 4 {
			r.send(handover.UsedPacket(id))
			used = append(used, fd)
		}
	}
	syscall.Close(r.fd)
	for _, a := range owner.await(t, n-len(used)) {
		if !a.Returned {
			t.Error("a connection that comes back does not say so")
		}
	}
	if !eventually(func() bool { return p.Pending() == 0 && !p.Able() }) {
		t.Errorf("%d pending, able: %t", p.Pending(), p.Able())
	}
	for _, fd := range used {
		syscall.Close(fd)
	}
	for _, client := range clients[:len(used)] {
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a connection that died with its process: %v, want EOF", err)
		}
	}
	if got := len(owner.arrivals()); got != n-len(used) {
		t.Errorf("%d connections came back, want %d", got, n-len(used))
	}
}

// It does so too when the death is noticed in sending.
func TestTakerDiesWhileGiven(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	for range 20 {
		p, owner, r := meet(t, handover.HelloPacket(handover.Version, key))
		_, first := connect(t, ln)
		p.Give(first, time.Now(), false)
		b, _ := r.receive()
		_, id, _ := handover.ParsePacket(b)
		r.send(handover.TookPacket(id))
		if !eventually(func() bool { return p.Pending() == 0 }) {
			t.Fatal("a connection that was taken is pending")
		}
		syscall.Close(r.fd)
		_, second := connect(t, ln)
		given := p.Give(second, time.Now(), false)
		want := 1
		if given {
			want = 2
		}
		if owner.await(t, want); !given {
			second.Close()
		}
	}
}

// There is credit for so many, and each answer makes room for one more.
func TestCredit(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	p, _, r := meet(t, handover.HelloPacket(handover.Version, key))
	defer syscall.Close(r.fd)
	for range handover.Window + 5 {
		_, served := connect(t, ln)
		p.Give(served, time.Now(), false)
	}
	var ids []uint64
	for range handover.Window {
		b, _ := r.receive()
		_, id, _ := handover.ParsePacket(b)
		ids = append(ids, id)
	}
	more := make([]byte, 1)
	time.Sleep(20 * time.Millisecond) // for one too many
	if _, _, err := syscall.Recvfrom(r.fd, more, syscall.MSG_PEEK|syscall.MSG_DONTWAIT); err != syscall.EAGAIN {
		t.Errorf("another one came without credit: %v", err)
	}
	r.send(handover.TookPacket(ids[0]))
	if b, _ := r.receive(); b[0] != 'G' {
		t.Errorf("after an answer came %q", b)
	}
}

// A taker that is stopped gets no second chance: what it did not answer for is served here, and its
// answer fails when it wakes up.
func TestTakerHangs(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	p, owner, r := meet(t, handover.HelloPacket(handover.Version, key))
	defer syscall.Close(r.fd)
	client, served := connect(t, ln)
	_, second := connect(t, ln)
	p.Give(served, time.Now(), false)
	p.Give(second, time.Now(), false)
	b, _ := r.receive()
	_, id, _ := handover.ParsePacket(b)
	r.send(handover.TookPacket(id)) // of the first; the other is never answered for
	began := time.Now()
	back := owner.await(t, 1)
	if took := time.Since(began); took < handover.AnswerWait/2 || len(back) != 1 {
		t.Errorf("%d came back after %v, want 1 after %v", len(back), took, handover.AnswerWait)
	}
	if err := syscall.Sendmsg(r.fd, handover.TookPacket(id+1), nil, nil, syscall.MSG_NOSIGNAL); err != syscall.EPIPE {
		t.Errorf("the late answer: %v, want EPIPE", err)
	}
	client.Close()
	if p.Able() || p.Pending() != 0 {
		t.Errorf("able: %t, pending: %d", p.Able(), p.Pending())
	}
}

// What the other side cannot take stays here.
func TestNoHandover(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	for name, hello := range map[string][]byte{
		"another version": handover.HelloPacket(handover.Version+1, key),
		"other keys":      handover.HelloPacket(handover.Version, "something else"),
		"no hello":        nil,
	} {
		t.Run(name, func(t *testing.T) {
			p, owner, r := meet(t, hello)
			defer syscall.Close(r.fd)
			_, served := connect(t, ln)
			if !p.Give(served, time.Now(), false) {
				owner.Adopt(handover.Arrival{Conn: served})
			}
			owner.await(t, 1)
			if p.Able() || p.Pending() != 0 {
				t.Errorf("able: %t, pending: %d", p.Able(), p.Pending())
			}
		})
	}
}

// A giver of another version is left alone, one that talks nonsense is not believed.
func TestGiverOfAnotherVersion(t *testing.T) {
	h, next := handover.NewHub(), &server{}
	h.Open(key, next)
	out, in := joined(t)
	h.Predecessor(in)
	r := rough{t, out}
	defer syscall.Close(out)
	if b, _ := r.receive(); string(b) != string(handover.HelloPacket(handover.Version, key)) {
		t.Errorf("the taker begins with %q", b)
	}
	r.send([]byte("nonsense"))
	r.send(handover.GivePacket(1, key)) // before a hello
	r.send(handover.HelloPacket(handover.Version + 1))
	if b, _ := r.receive(); len(b) > 0 {
		t.Errorf("the taker goes on with %q", b)
	}
}

// A connection without its descriptor is refused.
func TestDescriptorsLost(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	a, b := handover.NewHub(), handover.NewHub()
	old, next := &server{}, &server{}
	p := a.Open(key, old)
	old.closed.Store(true)
	b.Open(key, next)
	out, in := joined(t)
	b.Predecessor(in)
	a.Successor(out)
	client, served := connect(t, ln)
	defer fillTable(t)()
	p.Give(served, time.Now(), false)
	back := old.await(t, 1)[0]
	if !back.Returned || p.Able() || p.Pending() != 0 || len(next.arrivals()) > 0 {
		t.Errorf("came back: %t, able: %t, pending: %d, %d arrived", back.Returned, p.Able(), p.Pending(), len(next.arrivals()))
	}
	converse(t, client, back.Conn)
}

// fillTable leaves no room for a descriptor until it is undone.
func fillTable(t *testing.T) (undo func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	probe, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	full := syscall.Rlimit{Cur: uint64(probe), Max: old.Max} // the lowest free one is out of bounds
	syscall.Close(probe)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &full); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open("/dev/null"); err == nil {
		f.Close()
		t.Error("there is room for another descriptor")
	}
	return func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) }
}

// Through three processes in a row, as in rolls that overtake a drain.
func TestThroughSeveral(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0")
	var hubs []*handover.Hub
	var ports []*handover.Port
	var servers []*server
	for range 3 {
		h, s := handover.NewHub(), &server{}
		hubs, servers = append(hubs, h), append(servers, s)
		ports = append(ports, h.Open(key, s))
	}
	for i := range 2 {
		out, in := joined(t)
		hubs[i+1].Predecessor(in)
		hubs[i].Successor(out)
	}
	const n = 100
	clients := map[string]net.Conn{}
	for range n {
		client, served := connect(t, ln)
		clients[client.LocalAddr().String()] = client
		ports[0].Give(served, time.Now(), false)
	}
	for _, a := range servers[1].await(t, n) {
		a.Used()
		ports[1].Give(a.Conn, a.Since, a.Fresh)
	}
	for _, a := range servers[2].await(t, n) {
		converse(t, clients[fmt.Sprint(a.Conn.RemoteAddr())], a.Conn)
	}
	if !eventually(func() bool { return ports[0].Pending()+ports[1].Pending() == 0 }) {
		t.Error("something is pending")
	}
}

// A process that holds many connections gives away as many as it is asked for, to one that serves the
// same, and no more.
func TestRelief(t *testing.T) {
	const n = 7
	ln := listen(t, "tcp", "127.0.0.1:0")
	a, b := handover.NewHub(), handover.NewHub()
	heavy, other, light := &server{}, &server{}, &server{}
	p := a.Open(key, heavy)
	a.Open("another key", other)
	heavy.closed.Store(true)
	b.Open(key, light)
	out, in := joined(t)
	b.Predecessor(in)
	a.Relieve(out, n)
	if !eventually(func() bool { return heavy.shed.Load() == n }) {
		t.Fatal("the server was not asked for connections")
	}
	if p.Able() {
		t.Error("relief counts as a successor")
	}
	var client, served net.Conn
	for i := range n + 1 {
		client, served = connect(t, ln)
		if gone := p.Give(served, time.Now(), false); gone != (i < n) {
			t.Fatalf("connection %d of %d was taken: %t", i+1, n, gone)
		}
	}
	converse(t, client, served)
	light.await(t, n)
	if !eventually(func() bool { return heavy.shed.Load() == 0 }) {
		t.Error("relief has no end")
	}
	if other.shed.Load() != 0 || len(heavy.arrivals()) > 0 || p.Pending() != 0 {
		t.Errorf("another server was asked for %d, %d came back, %d are pending", other.shed.Load(), len(heavy.arrivals()), p.Pending())
	}
	for _, arrived := range light.arrivals() {
		arrived.Conn.Close()
	}
}
