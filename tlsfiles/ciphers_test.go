// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mainstay-go/mainstay/tlsfiles"
)

func TestCipherList(t *testing.T) {
	secure := func(keep func(name string) bool) (names []string) {
		for _, name := range tlsfiles.SuiteNames()[:10] {
			if keep(name) {
				names = append(names, name)
			}
		}
		return names
	}
	all := secure(func(string) bool { return true })
	with := func(part string) []string {
		return secure(func(name string) bool { return strings.Contains(name, part) })
	}
	without := func(part string) []string {
		return secure(func(name string) bool { return !strings.Contains(name, part) })
	}
	for list, want := range map[string][]string{
		"HIGH":                               all,
		"DEFAULT":                            all,
		"HIGH:!aNULL":                        all,
		"HIGH:!aNULL:!MD5:!RC4":              all,
		"DEFAULT:!DH:@STRENGTH":              all,
		"ECDHE+AESGCM":                       with("GCM"),
		"EECDH+AESGCM EDH+AESGCM":            with("GCM"),
		"ALL:!AES":                           with("CHACHA20"),
		"ALL:-AES:AESGCM":                    {"ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
		"AESGCM:!AESGCM:CHACHA20":            with("CHACHA20"),
		"!ECDSA:HIGH":                        without("ECDSA"),
		"HIGH,+ECDHE;!CBC":                   secure(func(name string) bool { return !strings.HasSuffix(name, "-SHA") }),
		"aECDSA+AES256":                      {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA"},
		"AES128-SHA":                         {"AES128-SHA"},
		"TLS_RSA_WITH_AES_128_CBC_SHA":       {"AES128-SHA"},
		"HIGH:AES256-SHA:!CHACHA20":          append(without("CHACHA20"), "AES256-SHA"),
		"ECDHE-RSA-AES128-SHA256+HIGH":       {"ECDHE-RSA-AES128-SHA256"},
		"AES256-SHA:HIGH:!kRSA":              all,
		"SUITEB128":                          {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"},
		"SUITEB192:HIGH":                     {"ECDHE-ECDSA-AES256-GCM-SHA384"},
		"HIGH:@SECLEVEL=4":                   secure(func(name string) bool { return strings.Contains(name, "256-GCM") || strings.Contains(name, "CHACHA20") }),
		"HIGH:AES256-GCM-SHA384:@SECLEVEL=3": all,
		"TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256":          {"ECDHE-RSA-AES128-GCM-SHA256"},
		"DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256":       {"ECDHE-RSA-AES128-GCM-SHA256"},
		"ECDHE-RSA-CAMELLIA128-SHA256:CAMELLIA:DES-CBC3-SHA:CHACHA20": with("CHACHA20"),
	} {
		got, _, err := tlsfiles.ParseCiphers(list)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q selects %q, %v, want %q", list, got, err, want)
		}
	}
}

func TestCipherListRefused(t *testing.T) {
	for list, want := range map[string]string{
		"":                             "selects no cipher",
		":":                            "selects no cipher",
		"!HIGH":                        "selects no cipher",
		"HIGH:!ALL":                    "selects no cipher",
		"hihg":                         `ciphers: "hihg": "hihg" is no cipher and no keyword`,
		"high":                         `ciphers: "high": "high" is no cipher and no keyword`,
		"HIGH:!MD55":                   `ciphers: "!MD55": "MD55" is no cipher`,
		"ECDHE+AESGMC:HIGH":            `ciphers: "ECDHE+AESGMC": "AESGMC" is no cipher`,
		"HIGH:!":                       `ciphers: "!": want a cipher or a keyword`,
		"HIGH:ECDHE+":                  `ciphers: "ECDHE+": want a cipher or a keyword`,
		"HIGH:@STRENGHT":               `ciphers: "@STRENGHT": want @STRENGTH or @SECLEVEL=0 to 5`,
		"HIGH:@SECLEVEL=6":             `ciphers: "@SECLEVEL=6": want`,
		"HIGH:DEFAULT":                 `ciphers: "DEFAULT": want DEFAULT at the beginning only`,
		"RC4:3DES":                     "RC4 (not in Go), 3DES (not in Go)",
		"DHE-RSA-AES128-GCM-SHA256":    "DHE-RSA-AES128-GCM-SHA256 (not in Go)",
		"kRSA":                         "kRSA (weak: to be asked for by its full name)",
		"AES128+CHACHA20":              "AES128+CHACHA20 (nothing is all of that)",
		"TLS_AES_256_GCM_SHA384":       "TLS_AES_256_GCM_SHA384 (of TLS 1.3: always on)",
		"ECDHE-RSA-AES128-SHA:!CBC":    "selects no cipher",
		"AES128-GCM-SHA256@SECLEVEL=3": "is no cipher",
	} {
		if _, _, err := tlsfiles.ParseCiphers(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", list, err, want)
		}
	}
}

func TestCipherListRemarks(t *testing.T) {
	_, got, err := tlsfiles.ParseCiphers("ECDHE+AESGCM:DHE+AESGCM:AES128-SHA:RC4-SHA")
	want := []string{"ciphers: AES128-SHA is weak", "ciphers: passed over: DHE+AESGCM (not in Go), RC4-SHA (not in Go)"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("remarks %q, %v, want %q", got, err, want)
	}
}

func FuzzCiphers(f *testing.F) {
	for _, list := range []string{
		"HIGH:!aNULL", "ECDHE+AESGCM:-SHA1:@STRENGTH", "DEFAULT@SECLEVEL=2", "SUITEB128", "!+-:@", "A+B++", "AES128-SHA,AES256-SHA;kRSA", "@SECLEVEL=\xff",
	} {
		f.Add(list)
	}
	known := tlsfiles.SuiteNames()
	f.Fuzz(func(t *testing.T, list string) {
		got, _, err := tlsfiles.ParseCiphers(list)
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("%q selects %q, %v", list, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %q is more than one line", list, err)
		}
		for i, name := range got {
			if !slices.Contains(known, name) || slices.Contains(got[:i], name) {
				t.Errorf("%q selects %q", list, got)
			}
		}
		if err != nil {
			return
		}
		// Whatever is chosen, a "!" for it takes it away for good.
		if left, _, err := tlsfiles.ParseCiphers("!" + got[0] + ":" + list); err == nil && slices.Contains(left, got[0]) && !strings.HasPrefix(list, "SUITEB") {
			t.Errorf("%q after !%s selects %q", list, got[0], left)
		}
	})
}
