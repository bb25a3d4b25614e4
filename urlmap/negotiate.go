// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package urlmap

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// What nova offers, and what it offers besides where the versions are listed.
const (
	jsonType = "application/json"
	atomType = "application/atom+xml"
)

type contentTypeKey struct{}

// ContentType returns the media type that the client wants an answer in, as a map that negotiates found
// it: nova.best_content_type. Without such a map it is application/json.
func ContentType(r *http.Request) string {
	if kind, ok := r.Context().Value(contentTypeKey{}).(string); ok {
		return kind
	}
	return jsonType
}

// negotiate looks for the version by the path, by Content-Type and by Accept, and last for what the
// path alone leads to.
func (m *Map) negotiate(w http.ResponseWriter, r *http.Request, host host, path string) {
	mt, n := m.match(host, path)
	kind := typeOfEnding(path)
	offers := []string{jsonType}
	if path == "/" || mt != nil && n > 0 && path[n:] == "/" {
		offers = append(offers, atomType)
	}
	// A match of everything is no version.
	versioned := mt != nil && n > 0
	prefix := ""
	if !versioned {
		_, params := parseMediaType(r.Header.Get("Content-Type"))
		if found, p := m.version(host, params); found != nil {
			mt, prefix, versioned = found, p, true
		}
	}
	if kind == "" || !versioned {
		best, params := bestMatch(r.Header.Values("Accept"), offers)
		if kind == "" {
			kind = best
		}
		if found, p := m.version(host, params); found != nil && !versioned {
			mt, prefix = found, p
		}
	}
	if mt == nil {
		m.notFound(w, r)
		return
	}
	if kind == "" {
		kind = jsonType
	}
	if prefix != "" { // by a media type: the path is not touched
		r = r.WithContext(WithPrefix(r.Context(), Prefix(r)+prefix))
	} else {
		r = shift(r, path, n)
	}
	mt.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contentTypeKey{}, kind)))
}

// version returns the mount of the version that parameters of a media type ask for.
func (m *Map) version(host host, params map[string]string) (*mount, string) {
	version, ok := params["version"]
	if !ok {
		return nil, ""
	}
	path := "/v" + version
	mt, n := m.match(host, path)
	return mt, path[:n]
}

// typeOfEnding returns the media type of what stands behind the last dot, if it is offered.
func typeOfEnding(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 && "application/"+path[i+1:] == jsonType {
		return jsonType
	}
	return ""
}

const quoted = `"[^"\\]*(?:\\.[^"\\]*)*"`

var parameter = regexp.MustCompile(`;\s*([^\s;=]+|` + quoted + `)\s*(?:=\s*([^;]+|` + quoted + `))?\s*`)

// parseMediaType returns a media type and its parameters, as loosely as nova does.
func parseMediaType(value string) (kind string, params map[string]string) {
	if value == "" {
		return "", nil
	}
	params = map[string]string{}
	for i, m := range parameter.FindAllStringSubmatch(";"+value, -1) {
		if i == 0 {
			kind = unquote(m[1])
			continue
		}
		params[unquote(m[1])] = unquote(m[2])
	}
	return kind, params
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// bestMatch returns the offer that Accept headers like best, and the parameters it is liked with: the
// highest quality, and of equal ones the mask with fewer stars, the first of them.
func bestMatch(accept, offers []string) (best string, params map[string]string) {
	quality, stars := -1.0, strings.Count("*/*", "*")
	for _, offer := range offers {
		for _, item := range splitList(strings.Join(accept, ",")) {
			mask, p := parseMediaType(item)
			q := 1.0
			if text, ok := p["q"]; ok {
				var err error
				if q, err = strconv.ParseFloat(strings.TrimSpace(text), 64); err != nil {
					continue
				}
			}
			n := strings.Count(mask, "*")
			if q < quality || q == quality && stars <= n || !maskMatches(mask, offer) {
				continue
			}
			quality, stars, best, params = q, n, offer, p
		}
	}
	return best, params
}

func maskMatches(mask, kind string) bool {
	if !strings.Contains(mask, "*") {
		return kind == mask
	}
	major, _, _ := strings.Cut(kind, "/")
	return mask == "*/*" || strings.TrimSuffix(mask, "/*") == major
}

// splitList splits at commas that are not within quotes.
func splitList(value string) (items []string) {
	start, inside := 0, false
	for i := 0; i < len(value); i++ {
		switch {
		case inside && value[i] == '\\':
			i++
		case value[i] == '"':
			inside = !inside
		case value[i] == ',' && !inside:
			items = append(items, strings.TrimSpace(value[start:i]))
			start = i + 1
		}
	}
	return append(items, strings.TrimSpace(value[start:]))
}
