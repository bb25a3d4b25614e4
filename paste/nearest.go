// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"cmp"
	"slices"
	"strings"
)

// nearest returns at most three names that are registered for one of the kinds and resemble name, the
// nearest first. Names that differ in more than a third of their letters are no help.
func (r *Registry) nearest(name string, kinds []kind) []string {
	if r == nil || name == "" {
		return nil
	}
	type candidate struct {
		name string
		away int
	}
	var found []candidate
	for key := range r.entries {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return k.registered() == key.kind }) {
			continue
		}
		away := distance(strings.ToLower(name), strings.ToLower(key.name))
		if away <= max(len(name), len(key.name))/3 {
			found = append(found, candidate{key.name, away})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.away, b.away), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, c := range found {
		if len(names) < 3 && !slices.Contains(names, c.name) {
			names = append(names, c.name)
		}
	}
	return names
}

// distance is how many letters must be added, left out or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
