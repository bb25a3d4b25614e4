// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// ShedOptions are for LoadShed, in a group of the program's choice. The zero value is no limit.
type ShedOptions struct {
	MaxConcurrency int           `config:"max_concurrent_requests" default:"0" min:"0" help:"Requests that each worker handles at once. 0 is without limit."`
	MaxQueue       int           `config:"max_queued_requests" default:"100" min:"0" help:"Requests that wait for their turn, in each worker; more are refused at once."`
	QueueTimeout   time.Duration `config:"queue_timeout" default:"5" min:"0" unit:"seconds" help:"For how long a request waits for its turn before it is refused. 0 refuses whom it would make wait."`
	RetryAfter     time.Duration `config:"retry_after" default:"1" min:"0" unit:"seconds" help:"When the clients of refused requests shall come again. 0 does not tell them."`
}

// LoadShed bounds how many requests a worker handles at once: more wait for their turn, first come
// first served, and those that no turn can be had for in time are answered 503 with Retry-After, for
// a client or a proxy to try elsewhere. Who waits costs a goroutine and no more: bodies are not read.
// A handler that took its connection over holds its place until it returns.
//
// PoolSize of a web.Server makes requests wait before this sees them: 0 there leaves it all to this.
func LoadShed(o ShedOptions) (Filter, error) {
	switch {
	case o.MaxConcurrency < 0:
		return nil, fmt.Errorf("max_concurrent_requests: %d is less than 0", o.MaxConcurrency)
	case o.MaxQueue < 0:
		return nil, fmt.Errorf("max_queued_requests: %d is less than 0", o.MaxQueue)
	case o.QueueTimeout < 0:
		return nil, fmt.Errorf("queue_timeout: %v is less than 0", o.QueueTimeout)
	case o.RetryAfter < 0:
		return nil, fmt.Errorf("retry_after: %v is less than 0", o.RetryAfter)
	case o.MaxConcurrency == 0:
		return func(next http.Handler) http.Handler { return next }, nil
	}
	return func(next http.Handler) http.Handler {
		s := &shedder{ShedOptions: o, turns: make(chan struct{}, o.MaxConcurrency)}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !s.enter(r) {
				s.refuse(w, r)
				return
			}
			defer func() { <-s.turns }()
			next.ServeHTTP(w, r)
		})
	}, nil
}

type shedder struct {
	ShedOptions
	turns  chan struct{} // one in it for each request that is handled; the runtime serves senders in order
	queued atomic.Int64
	lost   atomic.Int64 // refused since the last line in the log
	logged atomic.Int64 // when that was, in Unix seconds
}

// enter waits for a turn and reports whether there is one.
func (s *shedder) enter(r *http.Request) bool {
	select {
	case s.turns <- struct{}{}:
		return true
	default:
	}
	if s.QueueTimeout == 0 {
		return false
	}
	if s.queued.Add(1) > int64(s.MaxQueue) {
		s.queued.Add(-1)
		return false
	}
	defer s.queued.Add(-1)
	timer := time.NewTimer(s.QueueTimeout)
	defer timer.Stop()
	select {
	case s.turns <- struct{}{}:
		return true
	case <-timer.C:
	case <-r.Context().Done(): // nobody reads the answer
	}
	return false
}

// refuse answers who found no turn, and says so in the log once a second: a line for each would be
// load of its own.
func (s *shedder) refuse(w http.ResponseWriter, r *http.Request) {
	s.lost.Add(1)
	now := time.Now().Unix()
	if last := s.logged.Load(); last != now && s.logged.CompareAndSwap(last, now) {
		slog.WarnContext(r.Context(), "too many requests at once: refused some", "refused", s.lost.Swap(0),
			"max_concurrent_requests", s.MaxConcurrency, "queued", s.queued.Load())
	}
	if s.RetryAfter > 0 {
		w.Header().Set("Retry-After", seconds(s.RetryAfter))
	}
	Error(w, r, http.StatusServiceUnavailable, "")
}
