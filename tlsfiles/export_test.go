// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles

// SuiteNames returns OpenSSL's names of all ciphers that can be asked for.
func SuiteNames() (names []string) {
	for _, s := range suites {
		names = append(names, s.name)
	}
	return names
}

// SuiteByName returns the suite of that name; 0 for none.
func SuiteByName(name string) uint16 {
	for _, s := range suites {
		if s.name == name {
			return s.id
		}
	}
	return 0
}

// ParseCiphers returns the ciphers of a list, by OpenSSL's names in the list's order, and what it says of
// those passed over.
func ParseCiphers(text string) (names, remarks []string, err error) {
	list, err := parseCiphers(text)
	for _, id := range list.suites {
		for _, s := range suites {
			if s.id == id {
				names = append(names, s.name)
			}
		}
	}
	return names, list.remarks, err
}
