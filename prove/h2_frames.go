// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package prove

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// begin gathers the head of a request.
func (h *h2) begin(l *Load, client int, r *request) {
	s := &stream{id: h.next, req: r, room: h.initial, rest: r.body, check: checker{want: r.want}}
	h.next += 2
	h.streams[s.id] = s
	scheme := "http"
	if l.TLS != nil {
		scheme = "https"
	}
	h.headers.Reset()
	field := func(name, value string) { h.encode.WriteField(hpack.HeaderField{Name: name, Value: value}) }
	if r.post {
		field(":method", "POST")
		field(":path", l.Echo)
	} else {
		field(":method", "GET")
		field(":path", l.path)
	}
	field(":scheme", scheme)
	field(":authority", l.host)
	field("user-agent", "mainstay-prove")
	field("prove-serial", fmt.Sprintf("%x %d %d", l.Seed, client, r.serial))
	if r.post {
		field("content-length", strconv.Itoa(len(r.body)))
	}
	block := h.headers.Bytes()
	first := block
	if r.shape == Split {
		first = block[:len(block)/2]
	}
	s.ended = !r.post
	h.frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: s.id, BlockFragment: first, EndStream: s.ended, EndHeaders: len(first) == len(block),
	})
	if len(first) < len(block) {
		h.frames.WriteContinuation(s.id, true, block[len(first):])
	}
}

// sendBodies gathers DATA of all streams as far as there is room, at most limit bytes of each if that is
// above 0.
func (h *h2) sendBodies(limit int) {
	for id := uint32(1); id < h.next && len(h.streams) > 0; id += 2 {
		s := h.streams[id]
		if s == nil || s.ended {
			continue
		}
		for sent := 0; ; {
			n := min(len(s.rest), h.biggest, int(min(s.room, h.room)))
			if limit > 0 {
				n = min(n, limit-sent)
			}
			if n <= 0 && len(s.rest) > 0 {
				break
			}
			s.ended = n == len(s.rest)
			h.frames.WriteData(s.id, s.ended, s.rest[:n])
			s.rest = s.rest[n:]
			s.room -= int64(n)
			h.room -= int64(n)
			sent += n
			if s.ended {
				break
			}
		}
	}
}

// readFrame takes in a frame. It returns the stream that it ended, if it did.
func (c *conn) readFrame() (*stream, error) {
	h := c.h2
	frame, err := h.frames.ReadFrame()
	if err != nil {
		var bad http2.ConnectionError
		var streamBad http2.StreamError
		if errors.As(err, &bad) || errors.As(err, &streamBad) || errors.Is(err, http2.ErrFrameTooLarge) {
			return nil, malformed("frame: %v", err)
		}
		return nil, err
	}
	s := h.streams[frame.Header().StreamID]
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		return nil, h.settings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			h.frames.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			h.room += int64(f.Increment)
		} else if s != nil {
			s.room += int64(f.Increment)
		}
	case *http2.GoAwayFrame:
		h.goAway, h.last = true, f.LastStreamID
	case *http2.RSTStreamFrame:
		return h.resetBy(s, f.ErrCode), nil
	case *http2.MetaHeadersFrame:
		if s == nil {
			return nil, errTwice
		}
		return h.head(s, f)
	case *http2.DataFrame:
		h.refill(uint32(f.Length))
		if s == nil {
			return nil, errTwice
		}
		s.check.take(f.Data())
		return h.endOf(s, f.StreamEnded()), nil
	}
	return nil, nil
}

func (h *h2) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		switch s.ID {
		case http2.SettingInitialWindowSize:
			for _, st := range h.streams {
				st.room += int64(s.Val) - h.initial
			}
			h.initial = int64(s.Val)
		case http2.SettingMaxFrameSize:
			h.biggest = int(s.Val)
		case http2.SettingHeaderTableSize:
			h.encode.SetMaxDynamicTableSizeLimit(s.Val)
		}
		return nil
	})
	h.frames.WriteSettingsAck()
	return err
}

// refill gives the server room again.
func (h *h2) refill(n uint32) {
	if h.consumed += n; h.consumed >= h2Refill {
		h.frames.WriteWindowUpdate(0, h.consumed)
		h.consumed = 0
	}
}

func (h *h2) head(s *stream, f *http2.MetaHeadersFrame) (*stream, error) {
	s.answers = true
	if s.status < 200 { // else these are trailers
		status, err := strconv.Atoi(f.PseudoValue("status"))
		if err != nil || status < 100 {
			return nil, malformed("status %q", f.PseudoValue("status"))
		}
		s.status = status
	}
	for _, field := range f.RegularFields() {
		if field.Name == "prove-count" {
			s.count, _ = strconv.ParseInt(field.Value, 10, 64)
		}
	}
	return h.endOf(s, f.StreamEnded()), nil
}

// endOf returns the stream if it has ended.
func (h *h2) endOf(s *stream, ended bool) *stream {
	if !ended {
		return nil
	}
	delete(h.streams, s.id)
	return s
}

// refusedStream stands for a status of a stream that was not served; resetStream for one cut.
const (
	refusedStream = -1
	resetStream   = -2
)

func (h *h2) resetBy(s *stream, code http2.ErrCode) *stream {
	if s == nil || code == http2.ErrCodeNo && s.status >= 200 && !s.ended {
		if s != nil { // the answer is whole, and the rest of the request not wanted
			s.ended = true
		}
		return nil
	}
	if s.status = resetStream; code == http2.ErrCodeRefusedStream {
		s.status = refusedStream
	}
	return h.endOf(s, true)
}
