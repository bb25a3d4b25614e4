// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// HealthOptions are oslo.middleware's, for the group healthcheck, of all its releases.
type HealthOptions struct {
	Path                  string   `config:"path" default:"/healthcheck" help:"The path to respond to healtcheck requests on. For the filter; the application answers wherever it is mounted."`
	Detailed              bool     `config:"detailed" default:"false" help:"Show more detailed information as part of the response. Security note: Enabling this option may expose sensitive details about the service being monitored. Be sure to verify that it will not violate your security policies."`
	Backends              []string `config:"backends" help:"Additional backends that can perform health checks and report that information back as part of a request: disable_by_file, disable_by_files_ports, enable_by_files."`
	AllowedSourceRanges   []string `config:"allowed_source_ranges" help:"A list of network addresses to limit source ip allowed to access healthcheck information. Any request from ip outside of these network addresses are ignored."`
	IgnoreProxiedRequests bool     `config:"ignore_proxied_requests" default:"false" help:"Ignore requests with proxy headers."`
	DisableByFilePath     string   `config:"disable_by_file_path" help:"Check the presence of a file to determine if an application is running on a port. Used by DisableByFileHealthcheck plugin."`
	DisableByFilePaths    []string `config:"disable_by_file_paths" help:"Check the presence of a file based on a port to determine if an application is running on a port. Expects a \"port:path\" list of strings. Used by DisableByFilesPortsHealthcheck plugin."`
	EnableByFilePaths     []string `config:"enable_by_file_paths" help:"Check the presence of files. Used by EnableByFilesHealthcheck plugin."`

	// Checks are backends of the program's own, by the names that Backends has; they get the port that
	// the request came in on, and end when ctx does.
	Checks map[string]func(ctx context.Context, port int) Health
}

// Health is what a backend of Healthcheck found.
type Health struct {
	Available bool
	Reason    string // shown to everybody
	Details   string // shown with detailed
}

// Healthcheck is oslo.middleware's as a filter: requests for the path are answered 200 OK (HEAD 204),
// or 503 if a backend finds a reason, as text, HTML or JSON by their Accept header. All others pass.
func Healthcheck(o HealthOptions) (Filter, error) {
	h, err := newHealth(o)
	if err != nil {
		return nil, err
	}
	if o.Path != "" && o.Path[0] != '/' {
		return nil, fmt.Errorf("path: %q does not begin with a slash", o.Path)
	}
	path := o.Path
	if path == "" {
		path = "/healthcheck"
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !isFor(r, path) || h.ignores(r) {
				next.ServeHTTP(w, r)
				return
			}
			h.ServeHTTP(w, r)
		})
	}, nil
}

// HealthcheckApp is the same as an application: each request is for it. What it ignores is answered
// 404.
func HealthcheckApp(o HealthOptions) (http.Handler, error) {
	h, err := newHealth(o)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.ignores(r) {
			Error(w, r, http.StatusNotFound, "")
			return
		}
		h.ServeHTTP(w, r)
	}), nil
}

// isFor reports whether the whole path of a request, mounts and all, is path.
func isFor(r *http.Request, path string) bool {
	uri := r.RequestURI
	if uri == "" || uri[0] != '/' {
		return r.URL.Path == path
	}
	return strings.HasPrefix(uri, path) && (len(uri) == len(path) || uri[len(path)] == '?')
}

type health struct {
	HealthOptions
	backends []func(ctx context.Context, port int) Health
	ranges   Trusted
}

func newHealth(o HealthOptions) (*health, error) {
	h := &health{HealthOptions: o}
	files := make(map[int]string)
	for _, entry := range o.DisableByFilePaths {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		port, path, _ := strings.Cut(entry, ":")
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || path == "" {
			return nil, fmt.Errorf("disable_by_file_paths: %q is not port:path", entry)
		}
		files[int(n)] = path
	}
	known := map[string]func(context.Context, int) Health{
		"disable_by_file":        h.disableByFile,
		"disable_by_files_ports": func(_ context.Context, port int) Health { return disableByPort(files, port) },
		"enable_by_files":        h.enableByFiles,
	}
	for name, check := range o.Checks {
		known[name] = check
	}
	for _, name := range o.Backends {
		check, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("backends: %q is none of %s", name, strings.Join(sortedKeys(known), ", "))
		}
		h.backends = append(h.backends, check)
	}
	var err error
	h.ranges, err = ParseTrusted("allowed_source_ranges", o.AllowedSourceRanges)
	return h, err
}

// ignores reports whether the request is from somebody who shall learn nothing.
func (h *health) ignores(r *http.Request) bool {
	if h.IgnoreProxiedRequests && (hasProxyHeaders(r.Header) || r.Header["X-Forwarded"] != nil) {
		return true
	}
	return len(h.AllowedSourceRanges) > 0 && !h.ranges.Remote(r.RemoteAddr)
}

func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	port := portOf(r)
	results := make([]Health, 0, len(h.backends))
	status := http.StatusOK
	for _, check := range h.backends {
		result := check(r.Context(), port)
		results = append(results, result)
		if !result.Available {
			status = http.StatusServiceUnavailable
		}
	}
	kind, body := "text/plain", ""
	switch {
	case r.Method == http.MethodHead && status == http.StatusOK:
		status = http.StatusNoContent
	case r.Method == http.MethodHead:
	default:
		if accept := r.Header.Values("Accept"); len(accept) > 0 {
			kind = bestOffer(strings.Join(accept, ","), "text/plain", "text/html", "application/json")
		}
		switch kind {
		case "application/json":
			body = healthJSON(results, h.Detailed)
		case "text/html":
			body = healthHTML(results, h.Detailed)
		default: // a load balancer is better off with that than with 406
			kind, body = "text/plain", healthText(results)
		}
	}
	if strings.HasPrefix(kind, "text/") {
		kind += "; charset=UTF-8"
	}
	w.Header().Set("Content-Type", kind)
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if body != "" {
		writeString(w, body)
	}
}

// portOf returns the port that a request came in on; 0 on a unix socket.
func portOf(r *http.Request) int {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (h *health) disableByFile(context.Context, int) Health {
	switch path := h.DisableByFilePath; {
	case path == "":
		slog.Warn("DisableByFile healthcheck middleware enabled without disable_by_file_path set")
		return Health{true, "OK", "No 'disable_by_file_path' configuration value specified"}
	case exists(path):
		return Health{false, "DISABLED BY FILE", "Path '" + path + "' was found"}
	default:
		return Health{true, "OK", "Path '" + path + "' was not found"}
	}
}

func disableByPort(files map[int]string, port int) Health {
	path, ok := files[port]
	if !ok {
		slog.Warn("DisableByFilesPorts healthcheck middleware enabled without disable_by_file_paths set", "port", port)
	}
	if ok && exists(path) {
		return Health{false, "DISABLED BY FILE", ""}
	}
	return Health{true, "OK", ""}
}

func (h *health) enableByFiles(context.Context, int) Health {
	for _, path := range h.EnableByFilePaths {
		if !exists(path) {
			return Health{false, "FILE PATH MISSING", "File path " + path + " is missing"}
		}
	}
	return Health{true, "OK", "Specified file paths are available"}
}
