// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"fmt"
	"slices"
	"strings"
)

// afterer is what [After] makes of a service.
type afterer interface{ After() []string }

// order returns, for each service, the indices of those that must be ready before it starts and that
// stop only after it. Without any After that is the service given before it, so that all start one by
// one in the order given; with one, After alone counts.
func order(svcs []Service) ([][]int, error) {
	var (
		names  = make([]string, len(svcs))
		before = make([][]int, len(svcs))
		linear = true
	)
	for i, svc := range svcs {
		if absent(svc) {
			return nil, &OptionError{fmt.Sprintf("service %d", i), svc, "a Service"}
		}
		names[i] = NameOf(svc)
	}
	for i, svc := range svcs {
		after, ok := afterOf(svc)
		linear = linear && !ok
		for _, name := range after {
			j, err := lookUp(names, name, names[i]+".after")
			if err != nil {
				return nil, err
			}
			before[i] = append(before[i], j)
		}
	}
	if linear {
		for i := 1; i < len(svcs); i++ {
			before[i] = []int{i - 1}
		}
		return before, nil
	}
	if c := circleOf(before); c != nil {
		e := &CycleError{Kind: "service"}
		for _, i := range c {
			e.Names = append(e.Names, names[i])
		}
		return nil, e
	}
	return before, nil
}

// afterOf returns the names that svc, and whatever it wraps, comes after, and whether any of them says.
func afterOf(svc Service) (names []string, ok bool) {
	for svc != nil {
		if a, is := svc.(afterer); is {
			names, ok = append(names, a.After()...), true
		}
		u, is := svc.(unwrapper)
		if !is {
			break
		}
		svc = u.Unwrap()
	}
	return names, ok
}

// lookUp returns the index of the one service called name; option is where the name was given.
func lookUp(names []string, name, option string) (int, error) {
	i := slices.Index(names, name)
	if i < 0 {
		return 0, &OptionError{option, name, "a service of the group: " + strings.Join(names, ", ")}
	}
	if slices.Contains(names[i+1:], name) {
		return 0, &OptionError{option, name, "a name that one service of the group has alone"}
	}
	return i, nil
}

// circleOf returns indices that lead from one back to itself, the first again at the end, or nil if
// there are none. Edges lead from a service to those it comes after.
func circleOf(edges [][]int) []int {
	const (
		unseen = iota
		onPath
		passed
	)
	var (
		mark  = make([]int, len(edges))
		path  []int
		visit func(i int) []int
	)
	visit = func(i int) []int {
		switch mark[i] {
		case passed:
			return nil
		case onPath:
			return append(slices.Clone(path[slices.Index(path, i):]), i)
		}
		mark[i] = onPath
		path = append(path, i)
		for _, j := range edges[i] {
			if c := visit(j); c != nil {
				return c
			}
		}
		path = path[:len(path)-1]
		mark[i] = passed
		return nil
	}
	for i := range edges {
		if c := visit(i); c != nil {
			return c
		}
	}
	return nil
}
