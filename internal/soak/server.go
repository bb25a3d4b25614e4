// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/internal/peer"
	"github.com/mainstay-go/mainstay/prove"
)

// startLimit and stopLimit are for a server that behaves.
const (
	startLimit = 30 * time.Second
	stopLimit  = 90 * time.Second
)

// A server is hello, running.
type server struct {
	*peer.Process
	dir    string
	target string
	steer  *control.Client
}

// start starts hello as a user and waits until it serves.
func (s *soak) start(u user, over string, workers int) (*server, error) {
	dir, err := peer.Dir("state")
	if err != nil {
		return nil, err
	}
	if u.uid >= 0 {
		if err := os.Chown(dir, u.uid, u.uid); err != nil {
			return nil, err
		}
	}
	listen := "127.0.0.1:0"
	if over == unix {
		listen = "unix:" + filepath.Join(dir, "s")
	}
	args := []string{"--listen", listen, "--workers", strconv.Itoa(workers), "--state-path", dir}
	if over == overTLS || over == http2 {
		args = append(args, "--tls-cert", s.cert.CertFile, "--tls-key", s.cert.KeyFile)
	}
	cmd := exec.Command(s.hello, args...)
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	cmd.Stdout = said
	cmd.Dir = dir
	if u.uid >= 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.uid)}}
	}
	p, err := peer.Start(cmd)
	if err != nil {
		return nil, err
	}
	srv := &server{Process: p, dir: dir, steer: control.NewClient(control.SocketPath(dir, "hello"))}
	for deadline := time.Now().Add(startLimit); ; time.Sleep(2 * time.Millisecond) {
		text, _ := os.ReadFile(said.Name())
		if line, ok := strings.CutPrefix(string(text), "serving on "); ok && strings.HasSuffix(line, "\n") {
			srv.target = strings.TrimSpace(line)
			return srv, nil
		}
		if time.Now().After(deadline) {
			srv.end()
			return nil, fmt.Errorf("hello does not serve after %v: %s", startLimit, p.Output())
		}
	}
}

// end stops the server, however it takes that.
func (s *server) end() error {
	err := s.Stop(stopLimit)
	return errors.Join(err, os.RemoveAll(s.dir))
}

// load returns the load that a server is put under.
func (s *soak) load(srv *server) prove.Load {
	l := prove.Load{
		Target: srv.target, Echo: "/echo", Clients: s.clients, Fresh: s.clients / 4, Think: 2 * time.Millisecond, Seed: s.seed,
	}
	if strings.HasPrefix(l.Target, "https:") {
		l.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	return l
}
