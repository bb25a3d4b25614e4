// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// RateLimitOptions are for RateLimit, in a group of the program's choice. The zero value is no limit.
type RateLimitOptions struct {
	Rate    float64 `config:"rate_limit" default:"0" min:"0" help:"Requests a second that each client may make in the long run. 0 is without limit."`
	Burst   int     `config:"rate_limit_burst_size" default:"0" min:"0" help:"Requests that a client may make at once. 0 is the rate of one second, at least 1."`
	Clients int     `config:"rate_limit_clients" default:"65536" min:"1" help:"Clients that are told apart. When more come at one time, those without a place share one."`

	Key func(*http.Request) string // who is a client; nil is ProjectOrIP
}

// ProjectOrIP tells clients apart by their project, or before they have said who they are by address.
func ProjectOrIP(r *http.Request) string {
	if id := IdentityOf(r.Context()); id != nil && id.ProjectID != "" {
		return "project " + id.ProjectID
	}
	return ClientIP(r)
}

// RateLimit answers 429 with Retry-After to clients that ask too often, as a fault of nova's. Limits
// are those of one worker: with four of them a client may get four times as much.
func RateLimit(o RateLimitOptions) (Filter, error) {
	if o.Rate < 0 || math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0) {
		return nil, fmt.Errorf("rate_limit: %v is not a number from 0 on", o.Rate)
	}
	if o.Burst < 0 {
		return nil, fmt.Errorf("rate_limit_burst_size: %d is less than 0", o.Burst)
	}
	if o.Clients < 0 {
		return nil, fmt.Errorf("rate_limit_clients: %d is less than 1", o.Clients)
	}
	if o.Rate == 0 {
		return func(next http.Handler) http.Handler { return next }, nil
	}
	if o.Burst == 0 {
		o.Burst = max(1, int(o.Rate))
	}
	if o.Clients == 0 {
		o.Clients = 65536
	}
	if o.Key == nil {
		o.Key = ProjectOrIP
	}
	return func(next http.Handler) http.Handler {
		every := max(time.Nanosecond, time.Duration(float64(time.Second)/o.Rate))
		buckets := &buckets{every: every, slack: every * time.Duration(o.Burst-1), most: o.Clients, full: make(map[string]time.Time)}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if wait := buckets.take(o.Key(r), time.Now()); wait > 0 {
				w.Header().Set("Retry-After", seconds(wait))
				WriteFault(w, r, &Fault{Code: http.StatusTooManyRequests, Message: "This request was rate-limited."})
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

// seconds writes a duration for Retry-After, rounded up, at least 1.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// buckets are token buckets, kept as the time at which each would be full again (GCRA): one number a
// client, and none for a client that has been quiet for long enough.
type buckets struct {
	every, slack time.Duration
	most         int

	mu     sync.Mutex
	full   map[string]time.Time
	shared time.Time // of those that found no place
	swept  time.Time
}

// take takes a token of key's bucket, or returns how long there will be none.
func (b *buckets) take(key string, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, known := b.full[key]
	crowded := !known && len(b.full) >= b.most && !b.sweepLocked(now)
	if crowded {
		at = b.shared
	}
	if at.Before(now) {
		at = now
	}
	if wait = at.Sub(now) - b.slack; wait > 0 {
		return wait
	}
	at = at.Add(b.every)
	if crowded {
		b.shared = at
	} else {
		b.full[key] = at
	}
	return 0
}

// sweepLocked forgets full buckets and reports whether there is room. It looks through them at most
// once in the time that a token takes, so that a crowd does not make each request pay for all.
func (b *buckets) sweepLocked(now time.Time) bool {
	if now.Sub(b.swept) >= min(b.every, time.Second) {
		b.swept = now
		for key, at := range b.full {
			if !at.After(now) {
				delete(b.full, key)
			}
		}
	}
	return len(b.full) < b.most
}
