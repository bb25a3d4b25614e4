// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error answers with a status and a page that explains it, in the words and forms of Python's webob:
// HTML or JSON where the client's Accept header asks for it, else text. An empty explanation is
// webob's for that status. The answer must not have begun; headers that are set stay, but those that
// describe a body.
func Error(w http.ResponseWriter, r *http.Request, status int, explanation string) {
	if explanation == "" {
		explanation = explanations[status]
	}
	dropBody(w.Header())
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(status)
		return
	}
	title := titleOf(status)
	line := strconv.Itoa(status) + " " + title
	var kind, body string
	switch bestOffer(strings.Join(r.Header.Values("Accept"), ","), "text/html", "application/json") {
	case "text/html":
		kind = "text/html; charset=UTF-8"
		body = "<html>\n <head>\n  <title>" + line + "</title>\n </head>\n <body>\n  <h1>" + line + "</h1>\n  " +
			escapeHTML(explanation) + "<br /><br />\n\n\n\n </body>\n</html>"
	case "application/json":
		kind = "application/json"
		b := append([]byte(`{"message": `), jsonString(explanation+"<br /><br />\n\n\n")...)
		b = append(append(b, `, "code": `...), jsonString(line)...)
		b = append(append(b, `, "title": `...), jsonString(title)...)
		body = string(append(b, '}'))
	default:
		kind = "text/plain; charset=UTF-8"
		body = line + "\n\n" + explanation + "\n\n   "
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	writeString(w, body)
}

// dropBody removes what a header says of a body that will not come.
func dropBody(header http.Header) {
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Cache-Control", "Trailer"} {
		header.Del(name)
	}
}

// writeString sends a body whose length the header tells. That the client is gone is the server's to
// notice.
func writeString(w http.ResponseWriter, body string) { w.Write([]byte(body)) }

func titleOf(status int) string {
	if title, ok := titles[status]; ok {
		return title
	}
	return http.StatusText(status)
}

// titles are webob's, where they are not those of net/http.
var titles = map[int]string{
	414: "Request-URI Too Long",
	416: "Request Range Not Satisfiable",
}

const (
	malformed = "The server could not comply with the request since it is either malformed or otherwise incorrect."
	erred     = "The server has either erred or is incapable of performing the requested operation."
)

// explanations are webob's.
var explanations = map[int]string{
	400: malformed,
	401: "This server could not verify that you are authorized to access the document you requested. Either you supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials required.",
	402: "Access was denied for financial reasons.",
	403: "Access was denied to this resource.",
	404: "The resource could not be found.",
	405: malformed,
	406: malformed,
	407: "Authentication with a local proxy is needed.",
	408: "The server has waited too long for the request to be sent by the client.",
	409: "There was a conflict when trying to complete your request.",
	410: "This resource is no longer available. No forwarding address is given.",
	411: "Content-Length header required.",
	412: "Request precondition failed.",
	413: "The body of your request was too large for this server.",
	414: "The request URI was too long for this server.",
	415: malformed,
	416: "The Range requested is not available.",
	417: "Expectation failed.",
	422: "Unable to process the contained instructions",
	423: "The resource is locked",
	428: "This request is required to be conditional",
	429: "The client has sent too many requests in a given amount of time",
	431: "The request header fields were too large",
	451: "The resource is not available due to legal reasons.",
	500: erred,
	501: erred,
	502: "Bad gateway.",
	503: "The server is currently unavailable. Please try again at a later time.",
	504: "The gateway has timed out.",
	505: "The HTTP version is not supported.",
	507: "There was not enough space to save the resource",
	511: "Network authentication is required",
}

// escapeHTML makes text safe in HTML of any encoding, with webob's choice of entities.
func escapeHTML(text string) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case c == '&':
			b.WriteString("&amp;")
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '"':
			b.WriteString("&quot;")
		case c == '\'':
			b.WriteString("&#x27;")
		case c >= utf8.RuneSelf:
			b.WriteString("&#" + strconv.Itoa(int(c)) + ";")
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// jsonString returns text as Python's json module writes it: ASCII, and nothing escaped for HTML.
func jsonString(text string) []byte {
	const hex = "0123456789abcdef"
	b := append(make([]byte, 0, len(text)+2), '"')
	unit := func(c rune) {
		b = append(b, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
	}
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\f':
			b = append(b, '\\', 'f')
		case c >= ' ' && c < utf8.RuneSelf:
			b = append(b, byte(c))
		case c > 0xffff:
			c -= 0x10000
			unit(0xd800 + c>>10)
			unit(0xdc00 + c&0x3ff)
		default:
			unit(c)
		}
	}
	return append(b, '"')
}
