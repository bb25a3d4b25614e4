// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && interop

package sqllease_test

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/mainstay-go/mainstay/internal/peer"
	"github.com/mainstay-go/mainstay/periodic/sqllease"
)

func TestPostgreSQL(t *testing.T) {
	s := postgres(t)
	testStore(t, s)
	testCluster(t, s)
}

func TestMariaDB(t *testing.T) {
	s := mariadb(t)
	testStore(t, s)
	testCluster(t, s)
}

// need returns the path of a program of a server, the newest that matches one of the patterns.
func need(t *testing.T, program string, patterns ...string) string {
	t.Helper()
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) > 0 {
			return slices.Max(paths)
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no %s on this machine, and CI tests with it", program)
	}
	t.Skipf("no %s on this machine: make interop installs it as root on Debian", program)
	return ""
}

// postgres starts a server of its own.
func postgres(t *testing.T) server {
	initdb := need(t, "initdb", "/usr/lib/postgresql/*/bin/initdb")
	data := folder(t)
	// It refuses to run as root.
	run(t, as(t, "postgres", data, exec.Command(initdb, "-D", data, "-A", "trust", "-U", "test", "--no-sync")))
	addr, host, port := freeAddr(t)
	cmd := exec.Command(filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data,
		"-c", "listen_addresses="+host, "-c", "port="+port, "-c", "unix_socket_directories=", "-c", "fsync=off")
	p := startServer(t, as(t, "postgres", data, cmd), addr)
	return await(t, p, server{sqllease.PostgreSQL, "pgx", fmt.Sprintf("postgres://test@%s/postgres?sslmode=disable", addr)})
}

// mariadb starts a server of its own.
func mariadb(t *testing.T) server {
	daemon := need(t, "mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd")
	install := need(t, "mariadb-install-db", "/usr/bin/mariadb-install-db")
	data := folder(t)
	run(t, as(t, "mysql", data, exec.Command(install, "--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db")))
	addr, host, port := freeAddr(t)
	cmd := exec.Command(daemon, "--no-defaults", "--datadir="+data, "--bind-address="+host, "--port="+port,
		"--socket="+filepath.Join(data, "s"), "--pid-file="+filepath.Join(data, "pid"), "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0")
	p := startServer(t, as(t, "mysql", data, cmd), addr)
	return await(t, p, server{sqllease.MySQL, "mysql", fmt.Sprintf("root@tcp(%s)/mysql", addr)})
}

// as makes a command run as a user, if this is root, and gives the folder to that user.
func as(t *testing.T, name, dir string, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	cmd.Dir = dir
	if os.Getuid() != 0 {
		return cmd
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd
}

// folder returns a folder that is removed with the guard, also when this process is killed.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := peer.Dir("db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func freeAddr(t *testing.T) (addr, host, port string) {
	t.Helper()
	addr, err := peer.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	if host, port, err = net.SplitHostPort(addr); err != nil {
		t.Fatal(err)
	}
	return addr, host, port
}

// run runs a program to its end, under guard.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	p, err := peer.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(patience):
	}
	p.Stop(patience)
	if code := p.ExitCode(); code != 0 {
		t.Fatalf("%s ended with %d:\n%s", cmd.Path, code, p.Output())
	}
}

// startServer starts a server and stops it when the test ends.
func startServer(t *testing.T, cmd *exec.Cmd, addr string) *peer.Process {
	t.Helper()
	p, err := peer.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(patience); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(cmd.Path), p.Output())
		}
	})
	if err := p.AwaitAccept("tcp", addr, patience); err != nil {
		t.Fatal(err)
	}
	return p
}

// await waits until the server answers, which is later than that it accepts.
func await(t *testing.T, p *peer.Process, s server) server {
	t.Helper()
	db, err := sql.Open(s.driver, s.source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if err = db.PingContext(t.Context()); err == nil {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("no answer for %v: %v\n%s", patience, err, p.Output())
		}
	}
}
