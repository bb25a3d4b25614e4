// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
)

// The paths of the interface. A version that changes their meaning gets another prefix.
const (
	statusPath = "/v1/status"
	reloadPath = "/v1/reload"
	stopPath   = "/v1/stop"
	scalePath  = "/v1/scale"
	planPath   = "/v1/check"

	inspectPath = "/v1/inspect"
)

// maxBody bounds a request's body.
const maxBody = 64 << 10

// scaleRequest is the body of POST /v1/scale.
type scaleRequest struct {
	Set     string `json:"set"`
	Workers *int   `json:"workers"` // nil: forgotten, which must not mean 0
}

// handler answers requests for a target.
type handler struct {
	target Target
	logger *slog.Logger
	mux    *http.ServeMux
}

func newHandler(t Target, logger *slog.Logger) http.Handler {
	h := &handler{target: t, logger: logger, mux: http.NewServeMux()}
	h.mux.HandleFunc(statusPath, only(http.MethodGet, h.status))
	h.mux.HandleFunc(reloadPath, only(http.MethodPost, h.action(t.Reload)))
	h.mux.HandleFunc(stopPath, only(http.MethodPost, h.action(t.Stop)))
	h.mux.HandleFunc(planPath, only(http.MethodPost, h.action(t.Check)))
	h.mux.HandleFunc(scalePath, only(http.MethodPost, h.scale))
	h.mux.HandleFunc(inspectPath, only(http.MethodGet, h.kinds))
	h.mux.HandleFunc(inspectPath+"/{kind}", only(http.MethodGet, h.inspect))
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, fmt.Errorf("no %s here", r.URL.Path))
	})
	return h
}

// ServeHTTP admits the caller by the credentials of its connection, whatever it asks.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, ok := r.Context().Value(peerKey{}).(peer)
	if !ok {
		p.err = errors.New("no connection")
	}
	if err := p.admit(os.Geteuid()); err != nil {
		h.logger.Warn("control request refused", "uid", p.uid, "pid", p.pid, "path", r.URL.Path, "error", err)
		refuse(w, http.StatusForbidden, err)
		return
	}
	if p.err == nil {
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, Caller{p.uid, p.pid}))
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h.mux.ServeHTTP(w, r)
}

// only admits one method, and HEAD beside GET.
func only(method string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && (method != http.MethodGet || r.Method != http.MethodHead) {
			w.Header().Set("Allow", method)
			refuse(w, http.StatusMethodNotAllowed, fmt.Errorf("%s takes %s", r.URL.Path, method))
			return
		}
		next(w, r)
	}
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, h.target.Status())
}

func (h *handler) kinds(w http.ResponseWriter, r *http.Request) {
	kinds, err := h.target.Kinds(r.Context())
	answerList(w, kinds, err)
}

func (h *handler) inspect(w http.ResponseWriter, r *http.Request) {
	all, err := h.target.Inspect(r.Context(), r.PathValue("kind"))
	answerList(w, all, err)
}

// answerList answers with a list, which is never null, or with the refusal that err is.
func answerList[T any](w http.ResponseWriter, list []T, err error) {
	switch {
	case err != nil:
		refuse(w, codeOf(err), err)
	case list == nil:
		answer(w, http.StatusOK, []T{})
	default:
		answer(w, http.StatusOK, list)
	}
}

func (h *handler) action(do func(context.Context) (Outcome, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.act(w, r, do)
	}
}

// act does an action and answers with its outcome, or as a stream if its progress is asked for.
func (h *handler) act(w http.ResponseWriter, r *http.Request, do func(context.Context) (Outcome, error)) {
	if !wantsProgress(r) {
		out, err := do(r.Context())
		answerOutcome(w, out, err)
		return
	}
	s := &stream{w: w}
	out, err := do(WithProgress(r.Context(), s.progress))
	s.end(out, err)
}

func (h *handler) scale(w http.ResponseWriter, r *http.Request) {
	req, err := readScale(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	h.act(w, r, func(ctx context.Context) (Outcome, error) { return h.target.Scale(ctx, req.Set, *req.Workers) })
}

// readScale reads the body of a scale request and refuses what nobody can mean.
func readScale(body io.Reader) (scaleRequest, error) {
	var req scaleRequest
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		return req, fmt.Errorf(`body: %w: want {"set": "NAME", "workers": N}`, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return req, errors.New("body: more than one value")
	}
	if req.Workers == nil {
		return req, errors.New("workers: missing: want a number")
	}
	if *req.Workers < 0 {
		return req, fmt.Errorf("workers: %d: want 0 or more", *req.Workers)
	}
	return req, nil
}

// answerOutcome answers with an outcome, whose error field is that of err.
func answerOutcome(w http.ResponseWriter, out Outcome, err error) {
	if err == nil {
		answer(w, http.StatusOK, out)
		return
	}
	if out.Action == "" {
		refuse(w, codeOf(err), err)
		return
	}
	out.Error = err.Error()
	answer(w, codeOf(err), out)
}

// codeOf returns the HTTP status of a target's error.
func codeOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok && e.Code != 0 {
		return e.Code
	}
	return http.StatusInternalServerError
}

// refusal is the answer to what was not done.
type refusal struct {
	Error string `json:"error"`
}

func refuse(w http.ResponseWriter, code int, err error) {
	answer(w, code, refusal{err.Error()})
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	// An error here is the caller's hanging up: there is nobody left to tell.
	_ = enc.Encode(v)
}
