// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/mainstay-go/mainstay/internal/bind"
	"github.com/mainstay-go/mainstay/internal/wire"
)

// A Process is this process as its role lets it act. Its methods may be called from any goroutine.
type Process struct {
	role    Role
	conn    *wire.Conn       // nil when Alone
	signals <-chan os.Signal // nil when Alone
	table   *Table
	calls   *calls // nil when Alone

	mu        sync.Mutex
	identity  wire.Identity
	files     Snapshot // read so far; in a worker the snapshot
	mutated   Snapshot // in a worker, what is to come in place of files; nil for nothing
	recalling bool     // files answer for the disk, see Recall
	load      func() (snapshotFile, error)
	specs     []bind.Spec
	leased    map[string]*Lease // those open in a worker or probe, by key
}

func newProcess(role Role, conn *wire.Conn) *Process {
	p := &Process{role: role, conn: conn, table: NewTable(), files: make(Snapshot), leased: make(map[string]*Lease)}
	if conn != nil {
		p.calls = newCalls(conn)
	}
	return p
}

// self is set once, by package initialisation.
var self = become()

// Self returns this process. It is never nil and always the same.
func Self() *Process { return self }

// Role returns what this process is.
func (p *Process) Role() Role { return p.role }

// Conn returns the channel to the launcher, nil when Alone. It is for sending: what arrives comes out
// of [Process.Messages] and [Process.Request].
func (p *Process) Conn() *wire.Conn { return p.conn }

// Signals returns the channel of the HUP, INT, TERM, USR1 and USR2 that this process got since its
// packages were initialised; nil when Alone, whose signals nobody has touched. TTIN and TTOU are
// ignored in a child, PIPE is caught and dropped, QUIT and ABRT are left to the Go runtime.
func (p *Process) Signals() <-chan os.Signal { return p.signals }

// Table returns the listening sockets that this process owns. That of a child stays empty.
func (p *Process) Table() *Table { return p.table }

// Identity returns what the launcher said in answer to [Process.Hello], zero before.
func (p *Process) Identity() wire.Identity {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.identity
}

// Hello introduces this worker or probe to its launcher and returns who it is.
func (p *Process) Hello(ctx context.Context) (wire.Identity, error) {
	m, fds, err := p.Request(ctx, wire.Message{Type: wire.Hello, Version: wire.Version, Pid: os.Getpid()})
	if err != nil {
		return wire.Identity{}, err
	}
	closeAll(fds)
	if m.Type != wire.Welcome || m.Identity == nil {
		return wire.Identity{}, errors.New("the launcher answers hello with " + m.Type)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.identity = *m.Identity
	return p.identity, nil
}
