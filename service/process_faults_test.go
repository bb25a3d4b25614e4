// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package service_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/prove"
	"github.com/mainstay-go/mainstay/service"
	"github.com/mainstay-go/mainstay/socket"
	"github.com/mainstay-go/mainstay/web"
)

// A faultyFile is the configuration of the program faulty.
type faultyFile struct {
	Fault   string // what goes wrong
	Address string // one more to listen on
	Cert    string
	Flag    string // a file; its absence makes what flaps fail
}

// faulty is a web server with two workers that has one fault or none. New workers must serve half a second.
var faulty = asProgram("faulty", func() {
	var file faultyFile
	data, err := service.ReadFile(os.Getenv(settingsVar))
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil {
		service.Exit(fmt.Errorf("settings: %w", err))
	}
	switch file.Fault {
	case "panic":
		panic("of main")
	case "hang":
		select {}
	case "end":
		os.Exit(0)
	}
	opts := baseOptions()
	opts.StartTimeout = 2 * time.Second
	opts.SettleTime = 500 * time.Millisecond
	mux := http.NewServeMux()
	mux.Handle("POST /echo", &prove.Echo{})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "well") })
	set := service.Set{Name: "api", Workers: 2, Services: []service.Service{&fault{file}}}
	for _, address := range []string{"127.0.0.1:0", file.Address} {
		if address == "" {
			continue
		}
		ln, err := socket.Listen(context.Background(), "tcp", address)
		if err != nil {
			service.Exit(err)
		}
		set.Services = append(set.Services, &web.Server{Label: "web " + address, Listener: ln, Handler: mux, CertFile: file.Cert, KeyFile: file.Cert})
	}
	runSets(opts, set)
})

// A fault is a service that does nothing well.
type fault struct{ faultyFile }

func (f *fault) Name() string { return "fault" }

func (f *fault) Start(ctx context.Context) error {
	switch f.Fault {
	case "start fails":
		return fmt.Errorf("no database")
	case "start hangs":
		select {}
	case "start ends":
		os.Exit(0)
	case "out of memory":
		syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 1 << 30, Max: 1 << 30})
		for hog := [][]byte(nil); len(hog) < 1<<20; {
			hog = append(hog, make([]byte, 64<<20))
		}
	}
	return nil
}

func (f *fault) Serve(ctx context.Context) error {
	soon := (<-chan time.Time)(nil)
	_, err := os.Stat(f.Flag)
	if f.Fault == "ends soon" || f.Fault == "flaps" && err != nil {
		soon = time.After(50 * time.Millisecond)
	}
	if f.Fault == "flaps" {
		os.WriteFile(f.Flag, nil, 0o600) // the next is well, and the one after that not
		defer os.Remove(f.Flag)
	}
	select {
	case <-soon:
		os.Exit(0)
	case <-ctx.Done():
	}
	return nil
}

// Whatever is wrong with the next plan: the reload is refused, or rolled back, with one line that says
// what; who serves goes on serving, and loses nothing; the next good plan is taken.
func TestFaultyPlansUnderLoad(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	tests := map[string]struct {
		bad  faultyFile
		want string
	}{
		"configuration error":      {faultyFile{Fault: "\x00broken"}, "settings: invalid character"},
		"missing certificate":      {faultyFile{Cert: "/no/such/certificate.pem"}, "/no/such/certificate.pem"},
		"address taken":            {faultyFile{Address: taken.Addr().String()}, "address already in use"},
		"panic at boot":            {faultyFile{Fault: "panic"}, "panic: of main"},
		"hang at boot":             {faultyFile{Fault: "hang"}, "made no plan within 2s"},
		"exit 0 at boot":           {faultyFile{Fault: "end"}, "exit status 0"},
		"failing start":            {faultyFile{Fault: "start fails"}, "no database"},
		"hanging start":            {faultyFile{Fault: "start hangs"}, "not ready in time"},
		"exit 0 in start":          {faultyFile{Fault: "start ends"}, "exit status 0"},
		"out of memory in start":   {faultyFile{Fault: "out of memory"}, "exit status 2: fatal error: "}, // the race detector words it otherwise
		"exit shortly after ready": {faultyFile{Fault: "ends soon"}, "ended before it had settled: exit status 0"},
		"readiness that flaps":     {faultyFile{Fault: "flaps"}, "ended before it had settled: exit status 0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.bad.Flag = filepath.Join(t.TempDir(), "flag")
			f := startFaulty(t)
			address, before := f.address(), f.pids("api", 2)
			var refusal error
			var after []int
			load := prove.Load{
				Target: "http://" + address + "/", Echo: "/echo", Clients: 4, Fresh: 2, Think: 5 * time.Millisecond,
				Disturb: []prove.Disturbance{{Name: "reload", Every: 50 * time.Millisecond, Times: 1, Do: func(ctx context.Context, _ *prove.Scene) error {
					f.configure(test.bad)
					_, refusal = f.ctl.Reload(ctx)
					after = f.pids("api", 2)
					f.configure(faultyFile{})
					_, err := f.ctl.Reload(ctx)
					return err
				}}},
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			report, err := load.Run(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if refusal == nil || !strings.Contains(refusal.Error(), test.want) || strings.Contains(refusal.Error(), "\n") {
				t.Errorf("reload = %v, want one line with %q", refusal, test.want)
			}
			if !slices.Equal(after, before) {
				t.Errorf("workers %v became %v, want the same", before, after)
			}
			if now := f.pids("api", 2); !disjoint(now, before) {
				t.Errorf("workers %v became %v by a good reload, want others", before, now)
			}
			limits := prove.AnyCloses
			if strings.Contains(test.want, "settled") { // the new worker had requests in its hands when it went
				limits.Faults = map[prove.Class]uint64{prove.Lost: uint64(load.Clients), prove.Truncated: uint64(load.Clients)}
			}
			for _, line := range report.Judge(limits) {
				t.Error(line)
			}
			f.stops()
		})
	}
}

func startFaulty(t *testing.T) *faultyFleet {
	f := &faultyFleet{file: filepath.Join(t.TempDir(), "settings.json"), t: t}
	f.configure(faultyFile{})
	f.fleet = startFleet(t, faulty, withEnv(settingsVar+"="+f.file))
	return f
}

// A faultyFleet is the program faulty, with its file.
type faultyFleet struct {
	*fleet
	t    *testing.T
	file string
}

// configure writes the file; one that is broken where its fault begins with a zero byte.
func (f *faultyFleet) configure(file faultyFile) {
	f.t.Helper()
	data, err := json.Marshal(file)
	if strings.HasPrefix(file.Fault, "\x00") {
		data = []byte(file.Fault)
	}
	if err == nil {
		err = os.WriteFile(f.file, data, 0o600)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}
