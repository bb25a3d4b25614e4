// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

func TestStartMakesDirectoryAndSocketPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "state", "s")
	start(t, &control.Server{Path: path, Target: &target{}})
	for name, want := range map[string]os.FileMode{
		path:                             0o600 | os.ModeSocket,
		filepath.Dir(path):               0o700 | os.ModeDir,
		filepath.Dir(filepath.Dir(path)): 0o700 | os.ModeDir,
	} {
		info, err := os.Lstat(name)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestStartReplacesAStaleSocket(t *testing.T) {
	path := stale(t, filepath.Join(t.TempDir(), "s"))
	start(t, &control.Server{Path: path, Target: &target{}})
	if _, err := control.NewClient(path).Status(t.Context()); err != nil {
		t.Errorf("Status: %v", err)
	}
}

func TestStartRefusesTheSocketOfARunningProgram(t *testing.T) {
	srv, c := serve(t, &target{})
	err := (&control.Server{Path: srv.Path, Target: &target{}}).Start(t.Context())
	if !errors.Is(err, control.ErrInUse) || !strings.Contains(err.Error(), srv.Path) {
		t.Errorf("Start = %v, want ErrInUse and %s", err, srv.Path)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the first program does not answer any more: %v", err)
	}
}

func TestStartOfManyAtOnceLetsOneIn(t *testing.T) {
	for range 20 {
		path := stale(t, filepath.Join(t.TempDir(), "s"))
		var wg sync.WaitGroup
		var mu sync.Mutex
		var winners []*control.Server
		for i := range 8 {
			wg.Go(func() {
				srv := &control.Server{Path: path, Target: &target{status: control.Status{Pid: i}}}
				err := srv.Start(t.Context())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					winners = append(winners, srv)
				} else if !errors.Is(err, control.ErrInUse) {
					t.Errorf("Start = %v, want ErrInUse", err)
				}
			})
		}
		wg.Wait()
		if len(winners) != 1 {
			t.Errorf("%d servers hold one socket", len(winners))
		}
		for _, srv := range winners {
			srv.Shutdown(t.Context())
		}
	}
}

func TestStartNamesWhatItCannotBind(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 120))
	tests := map[string]struct{ path, want string }{
		"a file that is no socket": {file, "no socket"},
		"a directory":              {dir, "no socket"},
		"below a file":             {filepath.Join(file, "s"), "not a directory"},
		"over 107 bytes":           {long, fmt.Sprintf("%d bytes long, the kernel takes 107", len(long))},
		"abstract":                 {"@name", "abstract"},
		"empty":                    {"", "want a path"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := (&control.Server{Path: test.path, Target: &target{}}).Start(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.path) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Start = %v, want %q and %q", err, test.path, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("Start = %q, want one line", err)
			}
		})
	}
	if data, _ := os.ReadFile(file); string(data) != "kept" {
		t.Errorf("the file holds %q now", data)
	}
	if err := (&control.Server{Path: filepath.Join(dir, "s")}).Start(t.Context()); err == nil {
		t.Error("Start without a target: no error")
	}
}

func TestPathOfExactly107Bytes(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "c")
	if err != nil {
		t.Skipf("no short directory: %v", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, strings.Repeat("x", 107-len(dir)-1))
	start(t, &control.Server{Path: path, Target: &target{}})
	if _, err := control.NewClient(path).Status(t.Context()); err != nil {
		t.Errorf("Status over %d bytes: %v", len(path), err)
	}
}

func TestShutdownAnswersWhoAskedFirst(t *testing.T) {
	stopping, stopped := make(chan struct{}), make(chan struct{})
	srv, c := serve(t, &target{stop: func(context.Context) (control.Outcome, error) {
		close(stopping)
		<-stopped
		return control.Outcome{Action: "stop", Generation: 7}, nil
	}})
	answered := make(chan error, 1)
	go func() {
		out, err := c.Stop(context.Background())
		if err == nil && out.Generation != 7 {
			err = fmt.Errorf("outcome %+v", out)
		}
		answered <- err
	}()
	<-stopping

	shut := make(chan error, 1)
	go func() { shut <- srv.Shutdown(context.Background()) }()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Lstat(srv.Path); err != nil {
			break // the socket is gone: nobody new comes in
		}
		if time.Now().After(deadline) {
			t.Fatal("Shutdown leaves the socket while it waits")
		}
	}
	select {
	case err := <-shut:
		t.Errorf("Shutdown = %v before the caller had its answer", err)
	default:
	}
	close(stopped)
	if err := <-answered; err != nil {
		t.Errorf("Stop: %v", err)
	}
	if err := <-shut; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownCutsCallersAtItsDeadline(t *testing.T) {
	began := make(chan struct{})
	ended := make(chan struct{})
	srv := &control.Server{Path: filepath.Join(t.TempDir(), "s"), Target: &target{
		reload: func(ctx context.Context) (control.Outcome, error) {
			close(began)
			<-ctx.Done()
			close(ended)
			return control.Outcome{}, ctx.Err()
		},
	}}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	go srv.Serve(context.Background())
	answered := make(chan error, 1)
	go func() {
		_, err := control.NewClient(srv.Path).Reload(context.Background())
		answered <- err
	}()
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown = %v, want canceled", err)
	}
	<-ended
	if err := <-answered; err == nil {
		t.Error("Reload that was cut: no error")
	}
}

func TestServeEnds(t *testing.T) {
	tests := map[string]func(srv *control.Server, cancel func()){
		"by Shutdown": func(srv *control.Server, _ func()) { srv.Shutdown(context.Background()) },
		"by context":  func(_ *control.Server, cancel func()) { cancel() },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			srv := &control.Server{Path: filepath.Join(t.TempDir(), "s"), Target: &target{}}
			for range 3 { // a server may be started again
				ctx, cancel := context.WithCancel(t.Context())
				if err := srv.Start(ctx); err != nil {
					t.Fatalf("Start: %v", err)
				}
				served := make(chan error, 1)
				go func() { served <- srv.Serve(ctx) }()
				if _, err := control.NewClient(srv.Path).Status(ctx); err != nil {
					t.Errorf("Status: %v", err)
				}
				end(srv, cancel)
				if err := <-served; err != nil {
					t.Errorf("Serve = %v, want nil", err)
				}
				if _, err := os.Lstat(srv.Path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("socket file after the end: %v, want none", err)
				}
				cancel()
			}
		})
	}
}

func TestServeAndShutdownWithoutStart(t *testing.T) {
	srv := &control.Server{Path: "/nowhere", Target: &target{}}
	if err := srv.Serve(t.Context()); err == nil {
		t.Error("Serve without Start: no error")
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown without Start = %v, want nil", err)
	}
}

func TestShutdownBeforeServe(t *testing.T) {
	srv := &control.Server{Path: filepath.Join(t.TempDir(), "s"), Target: &target{}}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := os.Lstat(srv.Path); err == nil {
		t.Error("socket file is left behind")
	}
	if err := srv.Serve(t.Context()); err != nil {
		t.Errorf("Serve after Shutdown = %v, want nil", err)
	}
}

func TestShutdownLeavesTheSocketOfAnother(t *testing.T) {
	srv := &control.Server{Path: filepath.Join(t.TempDir(), "s"), Target: &target{}}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Somebody removed our file by hand and started the program anew.
	if err := os.Remove(srv.Path); err != nil {
		t.Fatal(err)
	}
	start(t, &control.Server{Path: srv.Path, Target: &target{}})
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := control.NewClient(srv.Path).Status(t.Context()); err != nil {
		t.Errorf("the other program's socket: %v", err)
	}
}
