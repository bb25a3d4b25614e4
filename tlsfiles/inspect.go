// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"time"
)

// What a [Certificate] is used for.
const (
	UseServer  = "server"  // shown to clients
	UseChain   = "chain"   // between it and who they trust
	UseClients = "clients" // signs the certificates of clients
)

// A Certificate is one that is in use, for people and tools to look at.
type Certificate struct {
	File      string    `json:"file"`
	Use       string    `json:"use"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names,omitempty"` // hosts and addresses it is for
	Serial    string    `json:"serial"`          // hexadecimal
	SHA256    string    `json:"sha256"`          // of the certificate
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`

	// Problem is why the files on disk, which are others, are not in use; empty if they are.
	Problem string `json:"problem,omitempty"`
}

func shownOf(file string, c *x509.Certificate, ca bool) Certificate {
	sum := sha256.Sum256(c.Raw)
	shown := Certificate{
		File: file, Use: UseServer, Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: namesOf(c),
		Serial: c.SerialNumber.Text(16), SHA256: hex.EncodeToString(sum[:]), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
	}
	if ca {
		shown.Use, shown.Names = UseClients, nil
	}
	return shown
}

// chainOf shows the intermediate certificates of a pair.
func chainOf(file string, cert tls.Certificate) (all []Certificate) {
	for _, der := range cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil { // that it can be parsed was checked before
			shown := shownOf(file, c, true)
			shown.Use = UseChain
			all = append(all, shown)
		}
	}
	return all
}

// Certificates returns those in use: the servers' as the options have them, each before its chain, then
// the CA's.
func (s *Source) Certificates() []Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := s.state.Load().shown
	all := make([]Certificate, len(shown))
	copy(all, shown)
	for i := range all {
		all[i].Problem = s.problem
	}
	return all
}

// Inspect returns Certificates under the kind "certificates".
func (s *Source) Inspect() map[string]any {
	return map[string]any{"certificates": s.Certificates()}
}

const day = 24 * time.Hour

// notices are how long before the end of a certificate it is warned of.
var notices = [...]time.Duration{30 * day, 7 * day, day, 0}

// noticesAt returns how many of notices have come.
func (c *Certificate) noticesAt(now time.Time) (n int) {
	for _, before := range notices {
		if c.NotAfter.Sub(now) <= before {
			n++
		}
	}
	return n
}

// warning says what is wrong with the times of a certificate, or nothing.
func (c *Certificate) warning(now time.Time) string {
	switch n := c.noticesAt(now); {
	case n == len(notices):
		return "certificate has expired"
	case now.Before(c.NotBefore):
		return "certificate is not valid yet"
	case n > 0:
		return "certificate expires soon"
	}
	return ""
}

// notYet is among the counts of warnings the one for a certificate whose time is to come.
const notYet = -1

// warnLocked writes the warnings that are due and were not given.
func (s *Source) warnLocked(now time.Time) {
	for _, c := range s.state.Load().shown {
		n := c.noticesAt(now)
		if n == 0 && now.Before(c.NotBefore) {
			n = notYet
		}
		key := c.File + " " + c.SHA256
		if n == s.warned[key] {
			continue
		}
		s.warned[key] = n
		if text := c.warning(now); text != "" {
			s.log.Warn(text, "file", c.File, "use", c.Use, "subject", c.Subject, "not_before", c.NotBefore, "not_after", c.NotAfter, "left", c.NotAfter.Sub(now).Round(time.Minute))
		}
	}
}
