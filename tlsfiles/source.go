// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Source gives servers what is in the files, also when that changes. It is made by [Open]; its methods
// may be called by several goroutines.
type Source struct {
	opts    Options
	log     *slog.Logger
	loader  loader
	remarks []string
	state   atomic.Pointer[state]

	mu      sync.Mutex
	stamps  []stamp           // of the files when they were last read
	unsure  bool              // one was so new that a further change may leave no trace
	refused [sha256.Size]byte // what was last refused, and said so
	problem string            // that it was refused for; empty if what is in the files is in use
	suspect [sha256.Size]byte // what was broken when Watch looked last
	warned  map[string]int    // by certificate: how many of the warnings before its end were given
}

// Open reads and checks the files. Without an error it returns a Source with them; it keeps nothing open
// and starts nothing. What works here but perhaps not for clients is a warning in the log.
func Open(o Options) (*Source, error) {
	s, err := prepare(o)
	if err != nil {
		return nil, err
	}
	for _, text := range s.remarks {
		s.log.Warn("TLS as configured", "remark", text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnLocked(time.Now())
	return s, nil
}

// prepare is Open without a word.
func prepare(o Options) (*Source, error) {
	s := &Source{opts: o, log: o.Logger, warned: make(map[string]int)}
	if s.log == nil {
		s.log = slog.Default()
	}
	var wrong problems
	var err error
	if s.loader.template, s.remarks, err = o.template(); err != nil {
		wrong = append(wrong, err)
		s.loader.template = &tls.Config{}
	}
	s.loader.ca = o.CAFile
	if s.loader.pairs, err = o.pairs(); err != nil {
		wrong = append(wrong, err)
		s.loader.pairs = nil
	}
	readFile := o.ReadFile
	if readFile == nil {
		readFile = os.ReadFile
		s.stamps = stampsOf(s.loader.paths())
		s.unsure = fresh(s.stamps, time.Now())
	}
	st, err := s.loader.make(s.loader.read(readFile))
	if err != nil {
		wrong = append(wrong, err)
	}
	if err := wrong.join(); err != nil {
		return nil, err
	}
	s.state.Store(st)
	c := s.loader.template
	c.Certificates = st.certs
	if st.cas != nil {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, st.cas
	}
	return s, nil
}

// Config returns a configuration for servers that follows the files: each handshake uses what was last
// found in them. Session tickets stay good across changes, but for clients whose certificates the CA file
// does not vouch for any more.
func (s *Source) Config() *tls.Config { return s.Follow(s.Template()) }

// Template returns a configuration with what is in the files now, to be changed and given to Follow.
func (s *Source) Template() *tls.Config {
	c := s.loader.template.Clone()
	c.NextProtos = slices.Clone(c.NextProtos)
	return c
}

// Follow returns a copy of a changed [Source.Template] that follows the files; what was changed holds. If
// its certificates are not the template's any more it is the caller's own affair, and returned as it is.
func (s *Source) Follow(c *tls.Config) *tls.Config {
	first := s.loader.template
	if len(c.Certificates) == 0 || &c.Certificates[0] != &first.Certificates[0] || c.GetCertificate != nil {
		return c
	}
	outer := c.Clone()
	own := c.ClientCAs != first.ClientCAs
	before := c.GetConfigForClient
	var latest atomic.Pointer[edition]
	outer.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if before != nil {
			if c, err := before(hello); c != nil || err != nil {
				return c, err
			}
		}
		st := s.state.Load()
		e := latest.Load()
		if e == nil || e.state != st {
			e = newEdition(outer, st, own)
			latest.Store(e)
		}
		return e.of(hello), nil
	}
	return outer
}

// An edition is a configuration with one state in it.
type edition struct {
	state  *state
	config *tls.Config
	old    *tls.Config // for clients whose TLS is too old for HTTP/2; nil where there are none
}

func newEdition(outer *tls.Config, st *state, ownCAs bool) *edition {
	c := outer.Clone()
	c.GetConfigForClient = nil
	c.Certificates = st.certs
	if st.byName != nil {
		c.Certificates, c.GetCertificate = nil, st.pick
	}
	if !ownCAs {
		c.ClientCAs = st.cas
	}
	e := &edition{state: st, config: c}
	if c.MinVersion != 0 && c.MinVersion < tls.VersionTLS12 && slices.Contains(c.NextProtos, "h2") {
		e.old = c.Clone()
		e.old.NextProtos = slices.DeleteFunc(slices.Clone(c.NextProtos), func(p string) bool { return p == "h2" })
	}
	return e
}

// of returns the configuration for a client.
func (e *edition) of(hello *tls.ClientHelloInfo) *tls.Config {
	if e.old != nil && len(hello.SupportedVersions) > 0 && slices.Max(modern(hello.SupportedVersions)) < tls.VersionTLS12 {
		return e.old
	}
	return e.config
}

// modern returns the versions that Go may know: clients send random ones as well (RFC 8701).
func modern(versions []uint16) []uint16 {
	known := []uint16{0}
	for _, v := range versions {
		if v <= tls.VersionTLS13 {
			known = append(known, v)
		}
	}
	return known
}

// Reload reads the files now, and uses them if they are good. If not, it keeps what it has and says so.
func (s *Source) Reload(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reloadLocked(time.Now(), false)
}

// Watch looks at the files every ReloadInterval until ctx ends, and at once where they were not read from
// disk, and reloads those that have changed. A file that was broken is looked at once more, a second later,
// before it says so: a certificate and its key do not come at the same moment. It warns of certificates
// that end within 30, 7 and 1 days, once each. It returns nil; there must be one Watch at a time.
func (s *Source) Watch(ctx context.Context) error {
	interval := s.opts.interval()
	if interval < 0 {
		<-ctx.Done()
		return nil
	}
	timer := time.NewTimer(s.poll(time.Now(), interval))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			timer.Reset(s.poll(time.Now(), interval))
		}
	}
}

// settle is after what time a broken file is looked at again.
const settle = time.Second

// poll reloads if something has changed, and returns when to look again.
func (s *Source) poll(now time.Time, interval time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnLocked(now)
	if !s.unsure && s.stamps != nil && sameStamps(stampsOf(s.loader.paths()), s.stamps) {
		return interval
	}
	if s.reloadLocked(now, true) == errSuspect {
		return min(settle, interval)
	}
	return interval
}
