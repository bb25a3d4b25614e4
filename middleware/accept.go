// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import "strings"

// A mediaRange is an element of an Accept header.
type mediaRange struct {
	kind, sub string
	params    bool // it has parameters besides q
	q         int  // in thousandths
}

// bestOffer returns the one of the offers, complete media types in lower case, that a client accepts
// best; the first one among equals. "" is none. A header that breaks the grammar accepts anything.
func bestOffer(header string, offers ...string) string {
	ranges, ok := parseAccept(header)
	if !ok {
		return offers[0]
	}
	best, bestQ := "", 0
	for _, offer := range offers {
		kind, sub, _ := strings.Cut(offer, "/")
		q, specificity := 0, 0
		for _, r := range ranges {
			s := 0
			switch {
			case r.kind == kind && r.sub == sub:
				if !r.params {
					s = 3
				}
			case r.kind == kind && r.sub == "*":
				s = 2
			case r.kind == "*" && r.sub == "*":
				s = 1
			}
			if s > specificity {
				q, specificity = r.q, s
			}
		}
		if q > bestQ {
			best, bestQ = offer, q
		}
	}
	return best
}

// parseAccept reads an Accept header by RFC 9110, section 12.5.1; false if it is none.
func parseAccept(header string) ([]mediaRange, bool) {
	var ranges []mediaRange
	for header != "" {
		element, rest := cutOutside(header, ',')
		header = rest
		if element = strings.Trim(element, " \t"); element == "" {
			continue
		}
		r, ok := parseMediaRange(element)
		if !ok {
			return nil, false
		}
		ranges = append(ranges, r)
	}
	return ranges, true
}

func parseMediaRange(text string) (mediaRange, bool) {
	name, rest := cutOutside(text, ';')
	kind, sub, ok := strings.Cut(strings.Trim(name, " \t"), "/")
	if !ok || !isToken(kind) || !isToken(sub) || kind == "*" && sub != "*" {
		return mediaRange{}, false
	}
	r := mediaRange{kind: strings.ToLower(kind), sub: strings.ToLower(sub), q: 1000}
	weighted := false
	for rest != "" {
		var param string
		param, rest = cutOutside(rest, ';')
		name, value, ok := strings.Cut(strings.Trim(param, " \t"), "=")
		if !ok && !weighted || !isToken(name) {
			return r, false
		}
		switch {
		case weighted: // an extension of the header, which says nothing of the type
		case strings.EqualFold(name, "q"):
			if r.q, ok = parseQuality(value); !ok {
				return r, false
			}
			weighted = true
		case isToken(value) || len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"':
			r.params = true
		default:
			return r, false
		}
	}
	return r, true
}

// parseQuality reads a number from 0 to 1 with at most three decimals, in thousandths.
func parseQuality(text string) (int, bool) {
	if text == "" || text[0] != '0' && text[0] != '1' || len(text) > 5 || len(text) > 1 && text[1] != '.' {
		return 0, false
	}
	q, unit := int(text[0]-'0')*1000, 100
	for i := 2; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		q += int(text[i]-'0') * unit
		unit /= 10
	}
	return q, q <= 1000
}

// cutOutside cuts at the first sep that is not in a quoted string.
func cutOutside(text string, sep byte) (before, after string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// isToken reports whether text is a token of RFC 9110.
func isToken(text string) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return text != ""
}
