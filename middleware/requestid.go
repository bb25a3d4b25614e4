// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
)

const requestIDHeader = "X-Openstack-Request-Id"

// RequestID is oslo.middleware's: each request gets an id, req- and a random UUID, which log lines
// carry and the answer's header tells, in X-Openstack-Request-Id and in the headers named here; nova's
// compute_req_id has X-Compute-Request-Id. A well-formed id in the request's own header becomes the
// global id of log lines; anything else there is ignored. logging.RequestOf has both for handlers. Of
// two such filters in a pipeline the inner one's id counts.
func RequestID(headers ...string) Filter {
	names := []string{requestIDHeader}
	for _, name := range headers {
		names = append(names, http.CanonicalHeaderKey(name))
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// One allocation for all that a request takes here.
			e := &entered{}
			id := newRequestID()
			e.ids.request = id
			if global := r.Header[requestIDHeader]; len(global) > 0 && isRequestID(global[0]) {
				e.ids.global = global[0]
			}
			s := scopeOf(r.Context())
			if s == nil {
				s = &e.scope
				s.Context = r.Context()
				e.request = *r.WithContext(s)
				r = &e.request
			}
			s.ids.Store(&e.ids)

			x, w := track(w)
			x.id, x.idNames = id, names
			// Set before the handler is called so that also the answer to a panic has it.
			values := e.values[:0]
			h := w.Header()
			for _, name := range names {
				values = append(values, id)
				h[name] = values[len(values)-1 : len(values) : len(values)]
			}
			next.ServeHTTP(w, r)
			x.end()
		})
	}
}

// entered is what RequestID makes for a request.
type entered struct {
	scope   scope
	ids     ids
	request http.Request
	values  [2]string // of two headers
}

// newRequestID returns req- and a random UUID.
func newRequestID() string {
	var u [16]byte
	binary.NativeEndian.PutUint64(u[:8], rand.Uint64()) // ChaCha8, seeded by the system
	binary.NativeEndian.PutUint64(u[8:], rand.Uint64())
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	b := [40]byte{0: 'r', 1: 'e', 2: 'q', 3: '-', 12: '-', 17: '-', 22: '-', 27: '-'}
	hex.Encode(b[4:12], u[0:4])
	hex.Encode(b[13:17], u[4:6])
	hex.Encode(b[18:22], u[6:8])
	hex.Encode(b[23:27], u[8:10])
	hex.Encode(b[28:40], u[10:16])
	return string(b[:])
}

// isRequestID reports whether text is req- and a UUID in lower case, of any version.
func isRequestID(text string) bool {
	if len(text) != 40 || text[:4] != "req-" {
		return false
	}
	for i := 4; i < len(text); i++ {
		switch c := text[i]; {
		case i == 12 || i == 17 || i == 22 || i == 27:
			if c != '-' {
				return false
			}
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
		default:
			return false
		}
	}
	return true
}
