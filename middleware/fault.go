// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
)

// A Fault is an error that knows its answer: a handler below FaultWrapper or CatchErrors may panic
// with one, and WriteFault sends it.
type Fault struct {
	Code    int         // status; one that is not 400 to 599 is 500
	Message string      // for the client; empty is webob's for Code
	Header  http.Header // sent as well, such as Retry-After; may be nil
}

func (f *Fault) Error() string { return strconv.Itoa(f.Code) + " " + f.Message }

// faultNames are the keys of nova's fault bodies; other codes have computeFault.
var faultNames = map[int]string{
	400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
	409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit",
	501: "notImplemented", 503: "serviceUnavailable",
}

// WriteFault answers with nova's form of an error, as JSON: {"itemNotFound": {"code": 404, "message":
// "..."}}, and the version of the API in the header if one was negotiated. The answer must not have
// begun.
func WriteFault(w http.ResponseWriter, r *http.Request, f *Fault) {
	code, message := f.Code, f.Message
	if code < 400 || code > 599 {
		code = http.StatusInternalServerError
	}
	if message == "" {
		message = explanations[code]
	}
	name, ok := faultNames[code]
	if !ok {
		name = "computeFault"
	}
	h := w.Header()
	dropBody(h)
	for key, values := range f.Header {
		h[http.CanonicalHeaderKey(key)] = values
	}
	body := append([]byte(`{"`+name+`": {"code": `+strconv.Itoa(code)+`, "message": `), jsonString(message)...)
	if after := h.Get("Retry-After"); after != "" && (code == 413 || code == 429) {
		body = append(append(body, `, "retryAfter": `...), jsonString(after)...)
	}
	body = append(body, "}}"...)
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	w.Write(body)
}

// FaultWrapper is nova's: a panic below it becomes a fault, 500 computeFault without a word of what
// happened, unless it is a *Fault (or an error that wraps one), which says code and message. An answer
// that had begun is broken off. The panic and its stack are logged; nil is slog.Default().
func FaultWrapper(logger *slog.Logger) Filter {
	return guard(func(w http.ResponseWriter, r *http.Request, caught any, stack []byte) {
		l := loggerOr(logger)
		fault := faultOf(caught)
		l.ErrorContext(r.Context(), "Caught error", "error", fmt.Sprint(caught), "stack", string(stack))
		l.InfoContext(r.Context(), fmt.Sprintf("%s returned with HTTP %d", URL(r), fault.Code))
		WriteFault(w, r, fault)
	})
}

// faultOf returns the fault that a panic means.
func faultOf(caught any) *Fault {
	var f *Fault
	if err, ok := caught.(error); ok && errors.As(err, &f) {
		if _, known := explanations[f.Code]; known {
			return f
		}
	}
	return &Fault{Code: http.StatusInternalServerError}
}

// CatchErrors is oslo.middleware's: a panic below it is logged, with the request but without tokens,
// and answered 500 with a page that says nothing of what happened. An answer that had begun is broken
// off. A nil logger is slog.Default().
func CatchErrors(logger *slog.Logger) Filter {
	return guard(func(w http.ResponseWriter, r *http.Request, caught any, stack []byte) {
		loggerOr(logger).ErrorContext(r.Context(), "An error occurred during processing the request",
			"request", describe(r), "error", fmt.Sprint(caught), "stack", string(stack))
		Error(w, r, http.StatusInternalServerError, "")
	})
}

// guard is a filter that answers for handlers that panic.
func guard(answer func(w http.ResponseWriter, r *http.Request, caught any, stack []byte)) Filter {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x, w := track(w)
			defer func() {
				caught := recover()
				if caught == nil {
					return
				}
				if caught == http.ErrAbortHandler {
					panic(caught)
				}
				stack := debug.Stack()
				if x.begun() {
					loggerOr(nil).ErrorContext(r.Context(), "Caught error in the middle of an answer", "error", fmt.Sprint(caught), "stack", string(stack))
					panic(http.ErrAbortHandler)
				}
				answer(w, r, caught, stack)
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// describe returns a request as text, without tokens and passwords.
func describe(r *http.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\nHost: %s", r.Method, requestURI(r), r.Proto, r.Host)
	for _, name := range sortedKeys(r.Header) {
		value := strings.Join(r.Header[name], ", ")
		if secret(name) {
			value = "*****"
		}
		fmt.Fprintf(&b, "\n%s: %s", name, value)
	}
	return b.String()
}

// secret reports whether a header lets its reader act for somebody else. X-…-Token are those that the
// original masks.
func secret(name string) bool {
	switch name {
	case "Authorization", "Proxy-Authorization", "Cookie":
		return true
	}
	return strings.HasPrefix(name, "X-") && strings.HasSuffix(name, "-Token")
}

func loggerOr(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}
