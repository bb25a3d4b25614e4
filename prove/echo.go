// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// An Echo is a handler that answers with the body that it is sent, while it still comes, and counts in
// the header Prove-Count how often it has executed the request: more than 1 shows a request that was
// executed twice. It knows the requests of a [Load] by their header Prove-Serial, among the last 64 of
// each client, and only those of this process. The zero value is ready to use.
type Echo struct {
	mu      sync.Mutex
	clients map[string]*seen // by seed and client
}

// seen is which of the last 64 serial numbers were executed: the highest, and a bit for each below it.
type seen struct {
	highest uint64
	bits    uint64
}

func (e *Echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).EnableFullDuplex() // else the body ends where the answer begins; HTTP/2 needs no leave
	if serial := r.Header.Get(serialHeader); serial != "" {
		w.Header().Set(countHeader, strconv.Itoa(e.count(serial)))
	}
	io.Copy(w, r.Body)
}

// count returns 1 for a serial number that is new, 2 for one that was there.
func (e *Echo) count(serial string) int {
	at := strings.LastIndexByte(serial, ' ')
	n, err := strconv.ParseUint(serial[at+1:], 10, 64)
	if at < 0 || err != nil {
		return 1
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.clients[serial[:at]]
	if s == nil {
		if e.clients == nil {
			e.clients = make(map[string]*seen)
		}
		s = new(seen)
		e.clients[serial[:at]] = s
	}
	if n > s.highest {
		s.bits = s.bits<<(n-s.highest) | 1
		s.highest = n
		return 1
	}
	bit := uint64(1) << (s.highest - n)
	if bit == 0 { // too long ago to know
		return 1
	}
	if s.bits&bit != 0 {
		return 2
	}
	s.bits |= bit
	return 1
}
