// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// CompressOptions are for Compress, in a group of the program's choice. The zero value is not the
// default: that is in the tags.
type CompressOptions struct {
	Level   int      `config:"compress_level" default:"1" min:"1" max:"9" help:"How hard gzip tries: 1 is fastest, 9 smallest."`
	MinSize int      `config:"compress_min_size" default:"1024" min:"0" max:"65536" unit:"bytes" help:"Answers that are shorter are left alone."`
	Types   []string `config:"compress_types" default:"application/json,text/*,application/xml,application/javascript,image/svg+xml" help:"Media types that are worth it; type/* is all of a type."`
}

// Compress packs answers with gzip for clients whose Accept-Encoding wants it. It leaves alone what is
// short, packed already, part of something (206, Content-Range), marked no-transform, not of the types
// given, or has no body; Vary tells caches where it decides by the client. A strong ETag becomes a weak
// one. A flush reaches the client; no more than compress_min_size is held back before that.
//
// Where a secret and a client's words are in one answer its packed length tells something of the
// secret, also through TLS.
func Compress(o CompressOptions) (Filter, error) {
	if o.Level < 1 || o.Level > 9 {
		return nil, fmt.Errorf("compress_level: %d is not from 1 to 9", o.Level)
	}
	if o.MinSize < 0 || o.MinSize > 65536 {
		return nil, fmt.Errorf("compress_min_size: %d is not from 0 to 65536", o.MinSize)
	}
	for _, kind := range o.Types {
		if main, sub, ok := strings.Cut(kind, "/"); !ok || !isToken(main) || !isToken(sub) {
			return nil, fmt.Errorf("compress_types: %q is not a media type such as text/*", kind)
		}
	}
	c := &compressor{CompressOptions: o}
	c.pool.New = func() any {
		z, _ := gzip.NewWriterLevel(nil, o.Level)
		return z
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				next.ServeHTTP(w, r)
				return
			}
			x := &gzipWriter{base: base{w}, c: c, wanted: wantsGzip(strings.Join(r.Header.Values("Accept-Encoding"), ","))}
			ended := false
			defer func() { x.end(ended) }() // when a panic passes, what is not written stays so
			next.ServeHTTP(shape(x, w), r)
			ended = true
		})
	}, nil
}

type compressor struct {
	CompressOptions
	pool sync.Pool // of *gzip.Writer
}

// wantsGzip reads Accept-Encoding by RFC 9110, section 12.5.3: gzip must be acceptable, and no worse
// than identity if that is named.
func wantsGzip(header string) bool {
	gz, star, identity := -1, -1, -1
	for element := range strings.SplitSeq(header, ",") {
		name, weight, weighted := strings.Cut(element, ";")
		q := 1000
		if weighted {
			key, value, _ := strings.Cut(strings.TrimSpace(weight), "=")
			var ok bool
			if q, ok = parseQuality(value); !ok || !strings.EqualFold(key, "q") {
				continue
			}
		}
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "gzip", "x-gzip":
			gz = max(gz, q)
		case "*":
			star = q
		case "identity":
			identity = q
		}
	}
	if gz < 0 {
		gz = star
	}
	return gz > 0 && gz >= identity
}

// worthwhile reports whether an answer with that header may be packed, whoever asks.
func (c *compressor) worthwhile(h http.Header, status int) bool {
	if status < 200 || status == http.StatusNoContent || status == http.StatusPartialContent || status == http.StatusNotModified {
		return false
	}
	if h["Content-Encoding"] != nil || h["Content-Range"] != nil {
		return false
	}
	if n, err := strconv.Atoi(h.Get("Content-Length")); err == nil && n < c.MinSize {
		return false
	}
	for _, value := range h["Cache-Control"] {
		if strings.Contains(strings.ToLower(value), "no-transform") {
			return false
		}
	}
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return false
	}
	main, _, _ := strings.Cut(kind, "/")
	return slices.Contains(c.Types, kind) || slices.Contains(c.Types, main+"/*")
}

// A gzipWriter holds back the first bytes until it is known whether they are worth packing.
type gzipWriter struct {
	base
	c       *compressor
	wanted  bool
	status  int // 0 until the handler has said it
	held    []byte
	sent    bool // the header is out
	hijacks bool
	z       *gzip.Writer
}

func (x *gzipWriter) tracker() *response { return nil }

func (x *gzipWriter) WriteHeader(status int) {
	if !final(status) || x.sent {
		x.ResponseWriter.WriteHeader(status)
		return
	}
	if x.status != 0 {
		return
	}
	x.status = status
	if status == http.StatusSwitchingProtocols || status == http.StatusNoContent || status == http.StatusNotModified {
		x.send(false)
	}
}

// send writes the header and what was held back. long is whether the body is long enough to be packed.
func (x *gzipWriter) send(long bool) error {
	x.sent = true
	if x.status == 0 {
		x.status = http.StatusOK
	}
	h := x.Header()
	if _, set := h["Content-Type"]; !set && len(x.held) > 0 && h["Content-Encoding"] == nil {
		h.Set("Content-Type", http.DetectContentType(x.held)) // the server would look at packed bytes
	}
	if x.c.worthwhile(h, x.status) {
		addVary(h, "Accept-Encoding")
		if long && x.wanted {
			x.pack(h)
		}
	}
	x.ResponseWriter.WriteHeader(x.status)
	held := x.held
	x.held = nil
	if len(held) == 0 {
		return nil
	}
	_, err := x.write(held)
	return err
}

// pack makes h the header of a packed answer.
func (x *gzipWriter) pack(h http.Header) {
	h.Set("Content-Encoding", "gzip")
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	if tag := h.Get("Etag"); strings.HasPrefix(tag, `"`) {
		h.Set("Etag", "W/"+tag)
	}
	x.z = x.c.pool.Get().(*gzip.Writer)
	x.z.Reset(x.ResponseWriter)
}

func addVary(h http.Header, name string) {
	for _, value := range h["Vary"] {
		for field := range strings.SplitSeq(value, ",") {
			if field = strings.TrimSpace(field); field == "*" || strings.EqualFold(field, name) {
				return
			}
		}
	}
	h.Add("Vary", name)
}

// write writes what belongs behind the header.
func (x *gzipWriter) write(p []byte) (int, error) {
	if x.z != nil {
		return x.z.Write(p)
	}
	return x.ResponseWriter.Write(p)
}

func (x *gzipWriter) Write(p []byte) (int, error) {
	if x.sent {
		return x.write(p)
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	part := p[:min(len(p), max(x.c.MinSize, 512))]
	x.held = append(x.held, part...)
	if len(x.held) < x.c.MinSize {
		return len(p), nil
	}
	if err := x.send(true); err != nil || len(part) == len(p) {
		return len(part), err
	}
	n, err := x.write(p[len(part):])
	return len(part) + n, err
}

func (x *gzipWriter) WriteString(s string) (int, error) { return x.Write([]byte(s)) }

// ReadFrom lets the server use sendfile for what is not packed.
func (x *gzipWriter) ReadFrom(src io.Reader) (int64, error) {
	var n int64
	for !x.sent {
		m, err := io.CopyN(onlyWriter{x}, src, 512)
		if n += m; err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
	if to, ok := x.ResponseWriter.(io.ReaderFrom); ok && x.z == nil {
		m, err := to.ReadFrom(src)
		return n + m, err
	}
	m, err := io.Copy(onlyWriter{x}, src)
	return n + m, err
}

func (x *gzipWriter) Flush() { x.FlushError() }

// FlushError also decides: what is streamed may become long.
func (x *gzipWriter) FlushError() error {
	if !x.sent {
		if err := x.send(true); err != nil {
			return err
		}
	}
	if x.z != nil {
		if err := x.z.Flush(); err != nil {
			return err
		}
	}
	return x.base.FlushError()
}

func (x *gzipWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := x.base.Hijack()
	x.hijacks = err == nil
	return nc, rw, err
}

// end writes what is left, if the handler has returned, and gives the packer back.
func (x *gzipWriter) end(returned bool) {
	if returned && !x.hijacks {
		if !x.sent && x.status != 0 {
			x.send(false)
		}
		if x.z != nil {
			x.z.Close() // an error is the client's, who is gone
		}
	}
	if x.z != nil {
		x.z.Reset(nil)
		x.c.pool.Put(x.z)
		x.z = nil
	}
}
