// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	datagramPatience = time.Second            // what a line waits for a daemon that takes nothing
	stalledPatience  = time.Millisecond       // once it has not
	redialEvery      = 100 * time.Millisecond // how often a daemon that is gone is looked for
)

// standardPlaces are where the daemons of a machine listen.
var standardPlaces = places{
	journal: "/run/systemd/journal/socket",
	syslog:  []string{"/dev/log", "/var/run/syslog", "/var/run/log"},
}

// A datagram is a connection to a log daemon, guarded by the lock of its sink. The daemon may stop and
// start again; one that takes nothing keeps a line waiting for a second, and the next ones for a
// moment only.
type datagram struct {
	paths   []string
	conn    *net.UnixConn
	stalled bool
	next    time.Time // no dialling before
}

func (d *datagram) dial() error {
	var err error
	for _, path := range d.paths {
		var conn *net.UnixConn
		conn, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
		if err == nil {
			d.close()
			d.conn = conn
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

// send sends one datagram, or an empty one with rights.
func (d *datagram) send(b, rights []byte) error {
	if d.conn == nil && time.Now().Before(d.next) {
		return fmt.Errorf("%s: not there", d.paths[0])
	}
	for again := true; ; again = false {
		err := error(nil)
		if d.conn == nil {
			err = d.dial()
		}
		if err == nil {
			if err = d.put(b, rights); err == nil {
				d.stalled = false
				return nil
			}
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			d.stalled = true
			return fmt.Errorf("%s: takes nothing", d.paths[0])
		case errors.Is(err, syscall.EMSGSIZE) || errors.Is(err, syscall.ENOBUFS):
			return err
		}
		// The daemon was stopped, or started anew.
		d.close()
		if !again {
			d.next = time.Now().Add(redialEvery)
			return err
		}
	}
}

func (d *datagram) put(b, rights []byte) error {
	wait := datagramPatience
	if d.stalled {
		wait = stalledPatience
	}
	if err := d.conn.SetWriteDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if rights == nil {
		_, err := d.conn.Write(b)
		return err
	}
	return sendRights(d.conn, rights)
}

func (d *datagram) close() {
	if d.conn != nil {
		d.conn.Close()
		d.conn = nil
	}
}
