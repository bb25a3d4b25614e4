// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"maps"
	"slices"
)

// A conf is a Python dict of strings: it keeps the order in which keys came, and is shared by pointer.
// PasteDeploy hands some of its dicts on and copies others, and which is seen in what a factory gets.
type conf struct {
	keys   []string
	values map[string]string
}

func newConf() *conf { return &conf{values: map[string]string{}} }

// confOf returns a conf of a map, in the order of its keys.
func confOf(m map[string]string) *conf {
	return &conf{keys: slices.Sorted(maps.Keys(m)), values: maps.Clone(m)}
}

func (c *conf) get(key string) (string, bool) {
	v, ok := c.values[key]
	return v, ok
}

func (c *conf) has(key string) bool {
	_, ok := c.values[key]
	return ok
}

func (c *conf) set(key, value string) {
	if !c.has(key) {
		c.keys = append(c.keys, key)
	}
	c.values[key] = value
}

// pop removes a key and returns what it had.
func (c *conf) pop(key string) (string, bool) {
	v, ok := c.values[key]
	if ok {
		delete(c.values, key)
		c.keys = slices.DeleteFunc(c.keys, func(k string) bool { return k == key })
	}
	return v, ok
}

// update sets all that other has.
func (c *conf) update(other *conf) {
	for _, key := range other.keys {
		c.set(key, other.values[key])
	}
}

func (c *conf) clone() *conf {
	return &conf{keys: slices.Clone(c.keys), values: maps.Clone(c.values)}
}

// equal reports whether both have the same values, in whatever order. Nil is nothing at all.
func (c *conf) equal(other *conf) bool {
	if c == nil || other == nil {
		return c == other
	}
	return maps.Equal(c.values, other.values)
}
