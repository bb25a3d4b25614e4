// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/control"
	"github.com/mainstay-go/mainstay/daemon"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
	"github.com/mainstay-go/mainstay/web"
)

// mainEnv makes this program the daemon instead of its tests.
const mainEnv = "DAEMON_TEST_MAIN"

// processesEnv makes even one worker a process.
const processesEnv = "DAEMON_TEST_PROCESSES"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		daemon.Main(app)
	}
	os.Exit(m.Run())
}

// appOptions stand in three places, which change together: two files and a folder.
type appOptions struct {
	First  int    `config:"first" default:"0"`
	Second int    `config:"second" default:"0"`
	Folder int    `config:"folder" default:"0"`
	Word   string `config:"word,mutable" default:"none"`
	Token  string `config:"token,mutable,secret" default:"nothing"`
	Size   *int   `config:"size" min:"1" max:"9"`
}

// A view is what a worker sees of its configuration.
type view struct {
	Pid                   int
	First, Second, Folder int
	Built, Word           string // the word when the service was made, and now
	Resets, Hooks         int32
	Debug                 bool
}

// app answers with what it sees.
var app = daemon.Program{
	Name: "app", Project: "app", Version: "7.1",
	Declare: func(conf *config.Config) error {
		return errors.Join(conf.Register("", daemon.ServerOptions{}), conf.Register("app", appOptions{}))
	},
	Validate: daemon.ValidateServer,
	Run: func(ctx context.Context, d *daemon.Daemon) error {
		var hooks atomic.Int32
		d.Config.OnMutate(func([]config.Change) error { hooks.Add(1); return nil })
		api, err := service.Build("api", func(ctx context.Context) (service.Service, error) {
			return newAPI(ctx, d, &hooks)
		})
		if err != nil {
			return err
		}
		opts := d.Options()
		opts.Workers = config.Get[daemon.ServerOptions](d.Config, "").Workers
		if os.Getenv(processesEnv) == "" {
			return service.Launch(ctx, opts, api)
		}
		l := service.NewProcessLauncher(opts)
		if err := l.Add(service.Set{Services: []service.Service{api}, Workers: opts.Workers}); err != nil {
			return err
		}
		return l.Run(ctx)
	},
}

// api is the server, with a Reset that is counted.
type api struct {
	web.Server
	resets atomic.Int32
}

func (a *api) Reset(context.Context) error { a.resets.Add(1); return nil }

func newAPI(ctx context.Context, d *daemon.Daemon, hooks *atomic.Int32) (*api, error) {
	network, address, err := socket.ParseAddress(config.Get[daemon.ServerOptions](d.Config, "").Listen)
	if err != nil {
		return nil, err
	}
	ln, err := socket.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	built := config.Get[appOptions](d.Config, "app")
	a := &api{Server: web.Server{Label: "api", Listener: ln}}
	a.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.Logger.Debug("asked", "mark", r.URL.RawQuery)
		now := d.Config.Snapshot()
		o := config.Get[appOptions](now, "app")
		debug, _ := now.Value("", "debug")
		json.NewEncoder(w).Encode(view{
			Pid: os.Getpid(), First: o.First, Second: o.Second, Folder: o.Folder, Built: built.Word, Word: o.Word,
			Resets: a.resets.Load(), Hooks: hooks.Load(), Debug: debug == true,
		})
	})
	return a, nil
}

// patience bounds what must happen but has no time of its own.
const patience = 30 * time.Second

// A program is the daemon, running on files in a folder of its own.
type program struct {
	t     *testing.T
	dir   string
	cmd   *exec.Cmd
	ctl   *control.Client
	err   output
	ended chan struct{}
}

// output is what a program says, while it says it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// prepare makes the folder of a program, with files of serial number 1, and its command line.
func prepare(t *testing.T, args ...string) *program {
	t.Helper()
	dir, err := os.MkdirTemp("", "daemon") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, dir: dir, ctl: control.NewClient(control.SocketPath(dir, "app")), ended: make(chan struct{})}
	p.serial(1)
	p.cmd = p.command(append([]string{
		"--config-file", p.path("one.conf"), "--config-file", p.path("two.conf"), "--config-dir", p.path("conf.d"), "--state-path", dir,
	}, args...)...)
	return p
}

// command returns the program with arguments, and an environment that no file is found by.
func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), os.Args[0], args...)
	cmd.Env = []string{mainEnv + "=1", "HOME=" + p.dir, "GORACE=atexit_sleep_ms=0", "GOCOVERDIR=" + os.Getenv("GOCOVERDIR")}
	return cmd
}

// start starts a program and waits until it runs.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := prepare(t, append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	p.begin()
	return p
}

func (p *program) begin() {
	p.t.Helper()
	p.cmd.Stdout, p.cmd.Stderr = &p.err, &p.err
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	p.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if p.t.Failed() {
			p.t.Logf("it said:\n%s", &p.err)
		}
	})
	p.await("running", func(st control.Status) bool { return st.State == "running" })
}

func (p *program) path(name string) string { return filepath.Join(p.dir, name) }

func (p *program) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// serial writes a number to all three places; the folder has a file of that number alone.
func (p *program) serial(n int) {
	p.t.Helper()
	p.write("one.conf", fmt.Sprintf("[app]\nfirst = %d\nword = word %d\n", n, n))
	p.write("two.conf", fmt.Sprintf("[app]\nsecond = %d\n", n))
	old, _ := filepath.Glob(p.path("conf.d/*.conf"))
	p.write(fmt.Sprintf("conf.d/%d.conf", n), fmt.Sprintf("[app]\nfolder = %d\n", n))
	for _, file := range old {
		if filepath.Base(file) != fmt.Sprintf("%d.conf", n) {
			os.Remove(file)
		}
	}
}

// await waits for a status, and returns it.
func (p *program) await(what string, is func(control.Status) bool) control.Status {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		st, err := p.ctl.Status(p.t.Context())
		if err == nil && is(st) {
			return st
		}
		select {
		case <-p.ended:
			p.t.Fatalf("not %s: it has ended", what)
		default:
		}
		if time.Now().After(end) {
			p.t.Fatalf("not %s: %+v, %v", what, st, err)
		}
	}
}

// pids waits until so many workers run and no other; a program in one process is its own worker.
func (p *program) pids(n int) []int {
	p.t.Helper()
	var pids []int
	p.await(fmt.Sprint(n, " workers"), func(st control.Status) bool {
		pids = nil
		if len(st.Sets) == 0 {
			pids = []int{st.Pid}
		}
		for _, set := range st.Sets {
			for _, w := range set.Slots {
				if w.State != "running" {
					return false
				}
				pids = append(pids, w.Pid)
			}
		}
		return len(pids) == n && st.State == "running"
	})
	return pids
}

func (p *program) address() string {
	p.t.Helper()
	st := p.await("listening", func(st control.Status) bool { return len(st.Listeners) == 1 })
	return st.Listeners[0].Address
}

// ask dials and asks once.
func ask(address string) (view, error) { return askMarked(address, "") }

// askMarked asks with a mark that the program logs at the level DEBUG.
func askMarked(address, mark string) (view, error) {
	var v view
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + address + "/?" + mark)
	if err != nil {
		return v, err
	}
	defer res.Body.Close()
	err = json.NewDecoder(res.Body).Decode(&v)
	return v, err
}

// all asks until so many workers, and no others, have answered, and returns what each sees.
func (p *program) all(n int) []view {
	p.t.Helper()
	return p.allMarked(n, "")
}

func (p *program) allMarked(n int, mark string) []view {
	p.t.Helper()
	pids, address := p.pids(n), p.address()
	var views []view
	for end := time.Now().Add(patience); len(views) < n; {
		v, err := askMarked(address, mark)
		if err != nil || !slices.Contains(pids, v.Pid) || time.Now().After(end) {
			p.t.Fatalf("%+v answered, %v, want %d answers of %v, have %+v", v, err, n, pids, views)
		}
		if !slices.ContainsFunc(views, func(o view) bool { return o.Pid == v.Pid }) {
			views = append(views, v)
		}
	}
	return views
}

// agree checks that all workers see one serial number, and one word.
func (p *program) agree(n, serial int, word string) {
	p.t.Helper()
	for _, v := range p.all(n) {
		if v.First != serial || v.Second != serial || v.Folder != serial || v.Word != word {
			p.t.Errorf("a worker sees %+v, want %d and %q", v, serial, word)
		}
	}
}

func (p *program) reload() {
	p.t.Helper()
	if _, err := p.ctl.Reload(p.t.Context()); err != nil {
		p.t.Fatalf("reload: %v", err)
	}
}

// said waits until the program has said something n times, each in a line of its own, and returns one.
func (p *program) said(n int, parts ...string) string {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		var found []string
		for line := range strings.Lines(p.err.String()) {
			if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
				found = append(found, line)
			}
		}
		if len(found) == n {
			if n == 0 {
				return ""
			}
			return found[0]
		}
		if len(found) > n || time.Now().After(end) {
			p.t.Fatalf("it said %q %d times, want %d", parts, len(found), n)
		}
	}
}

func (p *program) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// stops sends TERM and waits for exit code 0.
func (p *program) stops() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("it does not end")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != service.ExitOK {
		p.t.Errorf("exit code %d, want %d", code, service.ExitOK)
	}
}

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
