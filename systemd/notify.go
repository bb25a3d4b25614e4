// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Ready is the message that start-up, or a reload, is complete.
const Ready = "READY=1"

const notifySocket = "NOTIFY_SOCKET"

// notifyTimeout bounds a message to a manager that does not read: its queue is full then.
const notifyTimeout = time.Second

// Notify sends states, such as [Ready] or "STATUS=...", as one datagram to $NOTIFY_SOCKET, a path or,
// with a leading @, an abstract socket. Where that variable is not set there is nobody to tell and
// Notify returns nil. It blocks for at most a second and may be called from many goroutines.
func Notify(state ...string) error {
	addr := os.Getenv(notifySocket)
	if addr == "" || len(state) == 0 {
		return nil
	}
	if err := send(addr, strings.Join(state, "\n"), notifyTimeout); err != nil {
		return fmt.Errorf("notify %s: %w", addr, err)
	}
	return nil
}

// NotifyOnce is [Notify], and unsets $NOTIFY_SOCKET when the message was sent, so that neither later
// calls nor child processes can send another. After an error the variable stays.
func NotifyOnce(state ...string) error {
	err := Notify(state...)
	if err == nil {
		os.Unsetenv(notifySocket)
	}
	return err
}

// Reloading tells that a reload has begun. The reload ends with [Ready], also when it was refused:
// until then the manager waits.
func Reloading() error {
	state := []string{"RELOADING=1"}
	// Type=notify-reload counts a READY=1 only if it is later than this time, and a RELOADING=1
	// without it not at all; it must come in the same datagram.
	if usec, ok := monotonic(); ok {
		state = append(state, "MONOTONIC_USEC="+strconv.FormatInt(usec, 10))
	}
	return Notify(state...)
}

// Stopping tells that the program has begun to stop. Only the launcher of a program says this, once:
// the manager cancels what it waits for.
func Stopping() error { return Notify("STOPPING=1") }

// Status sets the line that "systemctl status" shows. Line breaks in text become spaces: a line of
// its own would be a message of its own.
func Status(text string) error {
	return Notify("STATUS=" + strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ").Replace(text))
}

// send writes one datagram and closes its socket.
func send(addr, message string, timeout time.Duration) error {
	if addr[0] != '/' && addr[0] != '@' {
		return errors.New("want a path or @name")
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		return cause(err)
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(timeout))
	_, err = conn.Write([]byte(message))
	return cause(err)
}

// cause takes off the address that package net puts around an error and our caller names anyhow.
func cause(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}
