// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"crypto/tls"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A suite is a cipher suite of Go with what OpenSSL's keywords say of it.
type suite struct {
	id      uint16
	name    string // OpenSSL's
	rsa     bool   // key exchange by RSA, without forward secrecy
	ecdsa   bool   // for certificates of ECDSA, else of RSA
	enc     string // AESGCM, CHACHA20 or AES, which is with CBC
	bits    int
	mac     string // AEAD, SHA1 or SHA256
	version string // the first to have it, as OpenSSL says
	weak    bool   // Go calls it insecure: chosen by its name alone
}

// suites are all of Go's up to TLS 1.2, but those with RC4 and 3DES, which nobody should speak.
var suites = []suite{
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", false, true, "AESGCM", 128, "AEAD", "TLSv1.2", false},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", false, false, "AESGCM", 128, "AEAD", "TLSv1.2", false},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", false, true, "AESGCM", 256, "AEAD", "TLSv1.2", false},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", false, false, "AESGCM", 256, "AEAD", "TLSv1.2", false},
	{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", false, true, "CHACHA20", 256, "AEAD", "TLSv1.2", false},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", false, false, "CHACHA20", 256, "AEAD", "TLSv1.2", false},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", false, true, "AES", 128, "SHA1", "TLSv1.0", false},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", false, false, "AES", 128, "SHA1", "TLSv1.0", false},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", false, true, "AES", 256, "SHA1", "TLSv1.0", false},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", false, false, "AES", 256, "SHA1", "TLSv1.0", false},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256", false, true, "AES", 128, "SHA256", "TLSv1.2", true},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256", false, false, "AES", 128, "SHA256", "TLSv1.2", true},
	{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", true, false, "AESGCM", 128, "AEAD", "TLSv1.2", true},
	{tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", true, false, "AESGCM", 256, "AEAD", "TLSv1.2", true},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "AES128-SHA256", true, false, "AES", 128, "SHA256", "TLSv1.2", true},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", true, false, "AES", 128, "SHA1", "SSLv3", true},
	{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", true, false, "AES", 256, "SHA1", "SSLv3", true},
}

// keywords are those of OpenSSL's cipher lists that mean suites of Go.
var keywords = map[string]func(*suite) bool{
	"ALL":     func(*suite) bool { return true },
	"HIGH":    func(*suite) bool { return true },
	"kRSA":    func(s *suite) bool { return s.rsa },
	"RSA":     func(s *suite) bool { return s.rsa },
	"kECDHE":  func(s *suite) bool { return !s.rsa },
	"kEECDH":  func(s *suite) bool { return !s.rsa },
	"ECDH":    func(s *suite) bool { return !s.rsa },
	"ECDHE":   func(s *suite) bool { return !s.rsa },
	"EECDH":   func(s *suite) bool { return !s.rsa },
	"aRSA":    func(s *suite) bool { return !s.ecdsa },
	"aECDSA":  func(s *suite) bool { return s.ecdsa },
	"ECDSA":   func(s *suite) bool { return s.ecdsa },
	"AES":     func(s *suite) bool { return s.enc != "CHACHA20" },
	"FIPS":    func(s *suite) bool { return s.enc != "CHACHA20" },
	"AES128":  func(s *suite) bool { return s.enc != "CHACHA20" && s.bits == 128 },
	"AES256":  func(s *suite) bool { return s.enc != "CHACHA20" && s.bits == 256 },
	"AESGCM":  func(s *suite) bool { return s.enc == "AESGCM" },
	"CBC":     func(s *suite) bool { return s.enc == "AES" },
	"SHA":     func(s *suite) bool { return s.mac == "SHA1" },
	"SHA1":    func(s *suite) bool { return s.mac == "SHA1" },
	"SHA256":  func(s *suite) bool { return s.mac == "SHA256" },
	"SSLv3":   func(s *suite) bool { return s.version == "SSLv3" },
	"TLSv1":   func(s *suite) bool { return s.version == "TLSv1.0" },
	"TLSv1.0": func(s *suite) bool { return s.version == "TLSv1.0" },
	"TLSv1.2": func(s *suite) bool { return s.version == "TLSv1.2" },

	"CHACHA20": func(s *suite) bool { return s.enc == "CHACHA20" },
}

// absent are words of OpenSSL's cipher lists that mean suites Go lacks: keywords of today and of old,
// and names, which are made of the words of the second part.
var absent = regexp.MustCompile(`^(COMPLEMENTOF(ALL|DEFAULT)|MEDIUM|LOW|EXP(ORT)?(40|56)?|[ae]?NULL|[kas]?(DSS|PSK|SRP|DH|EDH|DHE|GOST\w*|KRB5|FZA)|kECDH[er]?|aECDH|kDH[dr]|k(RSA|DHE|ECDHE)PSK|ADH|AECDH|3DES|DES|RC[24]|IDEA|SEED|AESCCM8?|AES(128|256)?CCM8?|CAMELLIA(128|256)?|ARIA(128|256)?|ARIAGCM|GOST\w*|MD5|SHA384|SSLv2|` +
	`(TLS_)?((EXP1024|EXP|ECDHE|EECDH|ECDH|DHE|EDH|ADH|AECDH|DH|RSA|DSS|ECDSA|PSK|SRP|KRB5|NULL|WITH|AES|AES128|AES256|CAMELLIA|CAMELLIA128|CAMELLIA256|ARIA|ARIA128|ARIA256|CHACHA20|POLY1305|DES|3DES|EDE|CBC3|CBC|GCM|CCM|CCM8|RC2|RC4|IDEA|SEED|GOST\w*|64|128|256|40|MD5|SHA|SHA256|SHA384|8)[-_])+(MD5|SHA|SHA256|SHA384|POLY1305|CCM|CCM8|8|GOST\w*))$`)

// suiteB are the lists of RFC 6460, which stand alone or first.
var suiteB = map[string]string{
	"SUITEB128":     "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
	"SUITEB128ONLY": "ECDHE-ECDSA-AES128-GCM-SHA256",
	"SUITEB128C2":   "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
	"SUITEB192":     "ECDHE-ECDSA-AES256-GCM-SHA384",
}

// A cipherList is what an OpenSSL cipher list means here.
type cipherList struct {
	suites  []uint16 // as it names them; Go has its own order
	remarks []string // elements that Go has nothing for, and suites that are weak
}

// cipherError is the error for an element of a list that cannot be meant.
func cipherError(element, format string, args ...any) error {
	return fmt.Errorf("ciphers: %q: "+format, append([]any{element}, args...)...)
}

// parseCiphers reads an OpenSSL cipher list. Where OpenSSL passes over a word that it does not know, this
// is an error: it may be half of a "!" that was meant to protect.
func parseCiphers(text string) (cipherList, error) {
	elements := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(": ;,\t\n", r) })
	if len(elements) > 0 && suiteB[elements[0]] != "" {
		elements = strings.Split(suiteB[elements[0]], ":") // the rest is passed over, as OpenSSL does
	}
	p := cipherParser{level: 1, killed: map[uint16]bool{}}
	for i, element := range elements {
		if element == "DEFAULT" && i == 0 {
			element = "ALL"
		}
		if err := p.element(element); err != nil {
			return cipherList{}, err
		}
	}
	var list cipherList
	for _, s := range p.chosen {
		if !s.allowed(p.level) {
			continue
		}
		list.suites = append(list.suites, s.id)
		if s.weak {
			list.remarks = append(list.remarks, "ciphers: "+s.name+" is weak")
		}
	}
	if len(list.suites) == 0 {
		if len(p.nothing) > 0 {
			return cipherList{}, cipherError(text, "selects no cipher that Go has; %s", strings.Join(p.nothing, ", "))
		}
		return cipherList{}, cipherError(text, "selects no cipher")
	}
	if len(p.nothing) > 0 {
		list.remarks = append(list.remarks, "ciphers: passed over: "+strings.Join(p.nothing, ", "))
	}
	return list, nil
}

type cipherParser struct {
	chosen  []*suite
	killed  map[uint16]bool
	level   int      // of security
	nothing []string // elements that should add and do not, with the reason
}

func (p *cipherParser) element(element string) error {
	if command, ok := strings.CutPrefix(element, "@"); ok {
		return p.command(element, command)
	}
	op, words := byte(0), element
	if strings.ContainsRune("!-+", rune(element[0])) {
		op, words = element[0], element[1:]
	}
	found, why, err := find(element, words)
	if err != nil {
		return err
	}
	in := func(s *suite) bool { return slices.Contains(found, s) }
	switch op {
	case '!':
		for _, s := range found {
			p.killed[s.id] = true
		}
		p.chosen = slices.DeleteFunc(p.chosen, in)
	case '-':
		p.chosen = slices.DeleteFunc(p.chosen, in)
	case '+': // moves them to the end; the order is Go's
	default:
		if why != "" {
			p.nothing = append(p.nothing, element+" ("+why+")")
		}
		for _, s := range found {
			if !p.killed[s.id] && !slices.Contains(p.chosen, s) {
				p.chosen = append(p.chosen, s)
			}
		}
	}
	return nil
}

// command obeys @STRENGTH, which sorts and so does nothing here, and @SECLEVEL.
func (p *cipherParser) command(element, command string) error {
	if command == "STRENGTH" {
		return nil
	}
	text, ok := strings.CutPrefix(command, "SECLEVEL=")
	level, err := strconv.Atoi(text)
	if !ok || err != nil || len(text) != 1 || level > 5 {
		return cipherError(element, "want @STRENGTH or @SECLEVEL=0 to 5")
	}
	p.level = level
	return nil
}

// find returns the suites that words with "+" between have in common. Without any, why says the reason.
func find(element, words string) (found []*suite, why string, err error) {
	match, named := []func(*suite) bool{}, false
	for word := range strings.SplitSeq(words, "+") {
		f, byName := keywords[word], false
		if f == nil {
			f, byName = suiteNamed(word), true
		}
		switch {
		case f != nil:
			match = append(match, f)
			named = named || byName
		case word == "":
			return nil, "", cipherError(element, "want a cipher or a keyword after ! - and + each")
		case word == "DEFAULT":
			return nil, "", cipherError(element, "want DEFAULT at the beginning only")
		case isTLS13(word):
			why = "of TLS 1.3: always on"
		case absent.MatchString(word):
			why = "not in Go"
		default:
			return nil, "", cipherError(element, "%q is no cipher and no keyword of OpenSSL", word)
		}
	}
	if why != "" {
		return nil, why, nil
	}
	weak := false
	for i := range suites {
		s := &suites[i]
		if slices.ContainsFunc(match, func(f func(*suite) bool) bool { return !f(s) }) {
			continue
		}
		// What takes away takes all; what adds needs the name for a weak one.
		if s.weak && !named && !strings.ContainsAny(element[:1], "!-") {
			weak = true
			continue
		}
		found = append(found, s)
	}
	switch {
	case len(found) > 0:
	case weak:
		why = "weak: to be asked for by its full name"
	default:
		why = "nothing is all of that"
	}
	return found, why, nil
}

// suiteNamed returns who knows the suite of that name, OpenSSL's or the standard's, or nil.
func suiteNamed(name string) func(*suite) bool {
	for i := range suites {
		if s := &suites[i]; s.name == name || tls.CipherSuiteName(s.id) == name {
			return func(other *suite) bool { return other.id == s.id }
		}
	}
	return nil
}

func isTLS13(name string) bool {
	return slices.ContainsFunc(tls.CipherSuites(), func(c *tls.CipherSuite) bool {
		return c.Name == name && c.SupportedVersions[0] == tls.VersionTLS13
	}) || name == "TLS_AES_128_CCM_SHA256" || name == "TLS_AES_128_CCM_8_SHA256"
}

// allowed reports whether OpenSSL's security level allows the suite.
func (s *suite) allowed(level int) bool {
	bits := [...]int{0, 80, 112, 128, 192, 256}[level]
	return s.bits >= bits && (level < 3 || !s.rsa) && (level < 4 || s.mac != "SHA1")
}
