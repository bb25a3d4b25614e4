// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// fairWait is how long connections may take to move from heavy workers to light ones.
const fairWait = 8 * time.Second

// A fairCase is so many clients that connect at once and stay.
type fairCase struct {
	clients int
	atMost  float64       // connections on one worker, over the mean
	wait    time.Duration // until it is so; 0 is at once
}

// The kernel deals out by chance: among few clients that is too uneven two times of five, and stays so
// unless connections move.
var fairCases = []fairCase{{1024, 1.2, 0}, {64, 1.25, fairWait}}

// fairRow counts which worker holds each of many connections. The worst of all rounds is the result: the
// median would reach a target that chance alone reaches three times of five.
func fairRow(ctx context.Context, b *bench) ([]result, error) {
	ours, err := fourWorkers.start(b)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	peer, err := nginx4.start(b)
	if err != nil && !errors.Is(err, errNotInstalled) {
		return nil, fmt.Errorf("%s: %w", nginx4.name, err)
	}
	if err == nil {
		defer peer.stop()
	}
	var results []result
	for _, c := range fairCases {
		var deals, peers []deal
		for range b.pairs {
			d, err := c.deal(ctx, ours)
			if err != nil {
				return nil, fmt.Errorf("%s, %d clients: %w", ours.name, c.clients, err)
			}
			deals = append(deals, d)
			if peer == nil {
				continue
			}
			if d, err = (fairCase{clients: c.clients}).deal(ctx, peer); err != nil {
				return nil, fmt.Errorf("%s, %d clients: %w", peer.name, c.clients, err)
			}
			peers = append(peers, d)
		}
		results = append(results, c.result(fourWorkers.name, nginx4.name, deals, peers))
	}
	return results, nil
}

// A deal is how evenly one round of clients was held: most over mean.
type deal struct {
	first, last float64
	moved       int // connections that another worker holds in the end
	took        time.Duration
}

// deal connects all clients and looks who serves them, again and again while that is too uneven and
// there is time left.
func (c fairCase) deal(ctx context.Context, s *server) (d deal, err error) {
	holders := make([]*holder, c.clients)
	for i := range holders {
		holders[i] = &holder{addr: s.addr}
		defer holders[i].close()
	}
	first, err := askAll(holders)
	if err != nil {
		return d, err
	}
	begun := time.Now()
	d.first = imbalance(first, s.workers)
	d.last = d.first
	for d.last > c.atMost && time.Since(begun) < c.wait {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return d, ctx.Err()
		}
		now, err := askAll(holders)
		if err != nil {
			return d, err
		}
		d.last, d.moved, d.took = imbalance(now, s.workers), differ(first, now), time.Since(begun)
	}
	return d, nil
}

// imbalance returns what the worker that appears most often holds, over the mean of all workers, those
// that hold none included.
func imbalance(pids []string, workers int) float64 {
	held, most := map[string]int{}, 0
	for _, pid := range pids {
		held[pid]++
		most = max(most, held[pid])
	}
	return float64(most) * float64(workers) / float64(len(pids))
}

// differ returns in how many places a and b, of one length, are not the same.
func differ(a, b []string) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// result is the line of one case. Peers that there are none of are not installed.
func (c fairCase) result(name, peer string, deals, peers []deal) result {
	var first, last, theirs []float64
	moved, uneven := 0, 0
	var took time.Duration
	for _, d := range deals {
		first, last = append(first, d.first), append(last, d.last)
		moved, took = moved+d.moved, max(took, d.took)
		if d.first > c.atMost {
			uneven++
		}
	}
	for _, d := range peers {
		theirs = append(theirs, d.first)
	}
	worst := quantile(last, 1)
	r := result{
		name:     fmt.Sprintf("most connections on a worker : mean, %d clients, %s, worst of %d", c.clients, name, len(deals)),
		target:   fmt.Sprintf("<= %g", c.atMost),
		measured: fmt.Sprintf("%.3f", worst),
		reached:  worst <= c.atMost,
		detail:   fmt.Sprintf("median %.3f", median(last)),
	}
	if c.wait > 0 {
		r.detail += fmt.Sprintf("; dealt out with median %.3f, worst %.3f, %d of %d too uneven: ", median(first), quantile(first, 1), uneven, len(deals))
		switch {
		case uneven == 0:
			r.detail += "none had to move"
		case moved == 0:
			r.detail += fmt.Sprintf("no connection moved within %v", c.wait)
		default:
			r.detail += fmt.Sprintf("%d moved, evened out in at most %.1f s", moved, took.Seconds())
		}
	}
	if len(theirs) == 0 {
		r.detail += "; " + peer + " is not installed"
	} else {
		r.detail += fmt.Sprintf("; %s %.3f, median %.3f", peer, quantile(theirs, 1), median(theirs))
	}
	return r
}

// A holder is a client with one connection that asks which process serves it.
type holder struct {
	addr string
	conn net.Conn
	buf  []byte
}

// askAll has all clients ask at once, and connect before that if they have not.
func askAll(holders []*holder) ([]string, error) {
	pids, errs := make([]string, len(holders)), make([]error, len(holders))
	var wg sync.WaitGroup
	for i, h := range holders {
		wg.Go(func() { pids[i], errs[i] = h.ask() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return pids, nil
}

// ask returns the process that serves the connection, as /pid says.
func (h *holder) ask() (string, error) {
	if h.conn == nil {
		conn, err := net.DialTimeout("tcp", h.addr, startLimit)
		if err != nil {
			return "", err
		}
		h.conn, h.buf = conn, make([]byte, 1024)
	}
	h.conn.SetDeadline(time.Now().Add(startLimit))
	if _, err := io.WriteString(h.conn, "GET /pid HTTP/1.1\r\nHost: "+h.addr+"\r\n\r\n"); err != nil {
		return "", err
	}
	for n := 0; ; {
		m, err := h.conn.Read(h.buf[n:])
		n += m
		a, perr := parseAnswer(h.buf[:n])
		switch {
		case perr == nil && (a.status != 200 || a.close):
			return "", fmt.Errorf("asked for /pid: %.200q", h.buf[:n])
		case perr == nil:
			return strings.TrimSpace(string(a.body)), nil
		case !errors.Is(perr, errMore):
			return "", perr
		case err != nil:
			return "", fmt.Errorf("asked for /pid: %w", err)
		}
	}
}

func (h *holder) close() {
	if h.conn != nil {
		h.conn.Close()
	}
}
