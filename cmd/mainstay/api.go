// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// The one version of the API, in the form that clients of OpenStack services discover.
const (
	apiVersion = "v1.0"
	apiUpdated = "2026-11-22T00:00:00Z"
)

type versionDoc struct {
	ID         string    `json:"id"`
	Status     string    `json:"status"`
	Version    string    `json:"version"`     // newest microversion; empty: there are none
	MinVersion string    `json:"min_version"` // oldest microversion
	Updated    string    `json:"updated"`
	Links      []linkDoc `json:"links"`
}

type linkDoc struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

// newAPI returns what the workers answer: the version documents and the health check.
func newAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", get(func(w http.ResponseWriter, r *http.Request) {
		writeDoc(w, http.StatusOK, map[string]any{"versions": []versionDoc{describeVersion(r)}})
	}))
	one := get(func(w http.ResponseWriter, r *http.Request) {
		writeDoc(w, http.StatusOK, map[string]any{"version": describeVersion(r)})
	})
	mux.HandleFunc("/"+apiVersion, one)
	mux.HandleFunc("/"+apiVersion+"/{$}", one)
	mux.HandleFunc("/healthcheck", get(healthcheck))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeFault(w, "itemNotFound", http.StatusNotFound, "The resource could not be found.")
	})
	return mux
}

func healthcheck(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	fmt.Fprint(w, "OK")
}

// describeVersion links to where the client found us, which behind a proxy is not where we listen.
func describeVersion(r *http.Request) versionDoc {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	self := fmt.Sprintf("%s://%s/%s/", scheme, r.Host, apiVersion)
	return versionDoc{ID: apiVersion, Status: "CURRENT", Updated: apiUpdated, Links: []linkDoc{{"self", self}}}
}

// get admits GET and HEAD.
func get(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeFault(w, "badMethod", http.StatusMethodNotAllowed, "The method is not allowed for this resource.")
			return
		}
		next(w, r)
	}
}

// writeFault answers with an error in the form of the compute API: its name is the one key.
func writeFault(w http.ResponseWriter, name string, code int, message string) {
	writeDoc(w, code, map[string]any{name: map[string]any{"code": code, "message": message}})
}

func writeDoc(w http.ResponseWriter, code int, doc any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// An error here is the client's hanging up: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(doc)
}
