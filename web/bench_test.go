// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package web_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/web"
)

const (
	benchServer  = "WEB_TEST_BENCH_SERVER" // tells the test binary to be a server: bare or web
	benchClients = 32
	benchWindow  = 500 * time.Millisecond
	benchRequest = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
	benchAnswer  = "\r\n\r\nhello, world\n"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(benchServer); kind != "" {
		if err := runBenchServer(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkHello serves hello through a Server and through net/http alone, each in a process of its
// own, in turn. An iteration is one pair of windows; it reports the medians of the ratios of web to
// bare: use -benchtime 15x.
func BenchmarkHello(b *testing.B) {
	bare, ours := startBenchServer(b, "bare"), startBenchServer(b, "web")
	bare.window(b)
	ours.window(b)
	var rates, costs []float64
	for i := range b.N {
		order := []*benchProcess{bare, ours}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		rate, cost := map[*benchProcess]float64{}, map[*benchProcess]float64{}
		for _, p := range order {
			rate[p], cost[p] = p.window(b)
		}
		rates = append(rates, rate[ours]/rate[bare])
		costs = append(costs, cost[ours]/cost[bare])
		b.Logf("requests/s %.0f of %.0f, CPU %.0f of %.0f ns/request", rate[ours], rate[bare], cost[ours], cost[bare])
	}
	slices.Sort(rates)
	slices.Sort(costs)
	b.ReportMetric(rates[len(rates)/2], "requests/bare")
	b.ReportMetric(costs[len(costs)/2], "CPU/bare")
}

// runBenchServer is the server process: it prints its address and then, for each line it reads, the
// CPU time it has taken.
func runBenchServer(kind string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") })
	if kind == "bare" {
		go http.Serve(ln, handler)
	} else {
		go (&web.Server{Listener: ln, Handler: handler}).Serve(context.Background())
	}
	fmt.Println(ln.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		fmt.Println(u.Utime.Nano() + u.Stime.Nano())
	}
	return nil
}

type benchProcess struct {
	addr string
	ask  io.Writer
	told *bufio.Scanner
}

func startBenchServer(b *testing.B, kind string) *benchProcess {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchServer+"="+kind)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	p := &benchProcess{ask: in, told: bufio.NewScanner(out)}
	if !p.told.Scan() {
		b.Fatalf("%s: no address", kind)
	}
	p.addr = p.told.Text()
	return p
}

func (p *benchProcess) cpu(b *testing.B) float64 {
	io.WriteString(p.ask, "\n")
	if !p.told.Scan() {
		b.Fatal("server has ended")
	}
	ns, err := strconv.ParseFloat(p.told.Text(), 64)
	if err != nil {
		b.Fatal(err)
	}
	return ns
}

// window loads the server for a while and returns requests per second and nanoseconds of its CPU
// time per request.
func (p *benchProcess) window(b *testing.B) (rate, cost float64) {
	var wg sync.WaitGroup
	counts := make([]int, benchClients)
	errs := make([]error, benchClients)
	before, start := p.cpu(b), time.Now()
	for i := range counts {
		wg.Go(func() { counts[i], errs[i] = benchClient(p.addr, start.Add(benchWindow)) })
	}
	wg.Wait()
	elapsed, used := time.Since(start), p.cpu(b)-before
	total := 0.0
	for i, n := range counts {
		if errs[i] != nil {
			b.Fatal(errs[i])
		}
		total += float64(n)
	}
	return total / elapsed.Seconds(), used / total
}

// benchClient asks over one connection until the time is up. The answers are all of one length.
func benchClient(addr string, until time.Time) (n int, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	buf := make([]byte, 1024)
	for ; n == 0 || n%16 != 0 || time.Now().Before(until); n++ {
		if _, err := io.WriteString(c, benchRequest); err != nil {
			return n, err
		}
		for got := 0; !bytes.HasSuffix(buf[:got], []byte(benchAnswer)); {
			m, err := c.Read(buf[got:])
			if err != nil {
				return n, err
			}
			got += m
		}
	}
	return n, nil
}
