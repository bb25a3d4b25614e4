// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
)

// settings are the configuration file of the program configured.
type settings struct {
	Workers      int
	Listen       []string
	Word         string // what is answered to every connection
	Fault        string // what goes wrong, see configured
	Mutate       bool
	StopFirst    bool
	StartTimeout time.Duration
}

// configured is a program of one set, app, that does what its configuration file says.
var configured = asProgram("configured", func() {
	s, err := readSettings()
	if err != nil {
		service.Exit(err)
	}
	opts := baseOptions()
	opts.StartTimeout = s.StartTimeout
	if s.Mutate {
		opts.RestartMethod = service.RestartMutate
	}
	app := narrate("app")
	var word atomic.Value
	load := func(context.Context) error {
		s, err := readSettings()
		word.Store(s.Word)
		return err
	}
	app.start, app.reset = load, load
	switch s.Fault {
	case "panic":
		panic("of the configuration")
	case "hang":
		select {}
	case "end":
		os.Exit(0)
	case "check":
		app.check = fails
	case "reset":
		app.reset = fails
	case "start":
		app.start = fails
	case "start of 1":
		app.start = func(ctx context.Context) error {
			if service.WorkerOf(ctx).ID == 1 {
				return errors.New("boom of 1")
			}
			return load(ctx)
		}
	case "start hangs":
		app.start = forever
	}
	set := service.Set{Name: "app", Workers: s.Workers, Services: []service.Service{app}}
	if s.StopFirst {
		set.Roll = service.StopFirst
	}
	for i, address := range s.Listen {
		ln, err := socket.Listen(context.Background(), "tcp", address)
		if err != nil {
			service.Exit(err)
		}
		set.Services = append(set.Services, service.Named(fmt.Sprint("port", i), &socket.Server{
			Listener: ln, Handler: func(ctx context.Context, c *socket.Conn) {
				fmt.Fprintf(c, "%s from pid %d\n", word.Load(), os.Getpid())
			},
		}))
	}
	runSets(opts, set)
})

// settingsVar has the path of the configuration file.
const settingsVar = "SERVICE_TEST_SETTINGS"

func readSettings() (s settings, err error) {
	data, err := service.ReadFile(os.Getenv(settingsVar))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && s.Word == "" {
		err = errors.New("settings: Word is missing")
	}
	return s, err
}

// A configuredFleet is the program configured, with its file.
type configuredFleet struct {
	*fleet
	file string
}

func startConfigured(t *testing.T, s settings, options ...func(*exec.Cmd)) *configuredFleet {
	t.Helper()
	f := &configuredFleet{file: filepath.Join(t.TempDir(), "settings.json")}
	writeSettings(t, f.file, s)
	f.fleet = startFleet(t, configured, append(options, withEnv(settingsVar+"="+f.file))...)
	return f
}

func writeSettings(t *testing.T, file string, s settings) {
	t.Helper()
	data, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// reload writes new settings and reloads.
func (f *configuredFleet) reload(s settings) (control.Outcome, error) {
	f.t.Helper()
	writeSettings(f.t, f.file, s)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return f.ctl.Reload(ctx)
}

// reloads is reload where it must succeed.
func (f *configuredFleet) reloads(s settings) {
	f.t.Helper()
	if out, err := f.reload(s); err != nil {
		f.fail("reload: %+v, %v", out, err)
	}
}

// stops ends the program.
func (f *fleet) stops() {
	f.t.Helper()
	f.signal(syscall.SIGTERM)
	f.ends(service.ExitOK)
}

// answer makes a connection and returns the word and the pid that are answered.
func answer(t *testing.T, address string) (word string, pid int) {
	t.Helper()
	line, err := answerOrError(address)
	if err != nil {
		t.Fatalf("no answer from %s: %v", address, err)
	}
	word, _, _ = strings.Cut(line, " ")
	return word, numberAfter(t, line, "pid")
}

func answerOrError(address string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	return bufio.NewReader(conn).ReadString('\n')
}
