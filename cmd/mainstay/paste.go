// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/middleware/stock"
	"github.com/mainstay-go/mainstay/paste"
	"github.com/mainstay-go/mainstay/urlmap"
)

// stockFactories are those that this module has for the names of stock paste files.
func stockFactories() *paste.Registry {
	r := &paste.Registry{}
	urlmap.Register(r)
	stock.Register(r, stock.Options{Strategy: func() string { return "keystone" }})
	return r
}

func newPaste() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "paste",
		Short: "Check and show the pipelines of paste files",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, args []string) { cmd.Help() },
	}
	cmd.AddCommand(newPasteCheck(), newPasteGraph())
	return cmd
}

func newPasteCheck() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "check FILE [NAME]",
		Short: "Say what is wrong with a paste file, or with one of its sections and what that refers to",
		Long: "Check reads a paste file such as api-paste.ini and resolves what every section refers to, or the section NAME.\n" +
			"Nothing is made. Factories that this module does not have are warnings: a program may have its own.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := openPaste(args[0])
			if err != nil {
				return err
			}
			return checkPaste(cmd.OutOrStdout(), f, args[1:], strict)
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "refuse factories that this module does not have")
	return cmd
}

func newPasteGraph() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "graph FILE [NAME]",
		Short: "Show the applications, filters and composites behind a name as a tree",
		Long: "Graph draws what a program would load from a paste file under NAME. Without NAME it is what no other section of\n" +
			"the file refers to, each as a tree of its own.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := openPaste(args[0])
			if err != nil {
				return err
			}
			return graphPaste(cmd.OutOrStdout(), f, args[1:], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the trees as JSON")
	return cmd
}

func openPaste(file string) (*paste.File, error) {
	return paste.Open(file, paste.Options{Registry: stockFactories()})
}

// checkPaste resolves the sections of the names given, or all, and says what it finds: each fault once,
// however many sections lead to it.
func checkPaste(out io.Writer, f *paste.File, names []string, strict bool) error {
	var graphs []func() (*paste.Node, error)
	for _, name := range names {
		graphs = append(graphs, func() (*paste.Node, error) { return f.Graph(name) })
	}
	if len(names) == 0 {
		for _, s := range f.Sections() {
			graphs = append(graphs, func() (*paste.Node, error) { return f.GraphOf(s) })
		}
	}
	if len(graphs) == 0 {
		return fmt.Errorf("%s: no section of a paste file: want [app:NAME], [pipeline:NAME] and the like", f.Path())
	}
	var faults []string
	var unknown []*paste.UnknownError
	for _, graph := range graphs {
		n, err := graph()
		var at *paste.LoadError
		if errors.As(err, &at) {
			faults = appendOnce(faults, at.Err.Error())
			continue
		}
		if err != nil {
			return err
		}
		for node := range n.All() {
			if node.Unknown != nil {
				unknown = append(unknown, node.Unknown)
			}
		}
	}
	slices.SortStableFunc(unknown, func(a, b *paste.UnknownError) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	var warnings []string
	for _, e := range unknown {
		warnings = appendOnce(warnings, e.Error())
	}
	if strict {
		faults, warnings = append(faults, warnings...), nil
	}
	for _, text := range warnings {
		fmt.Fprintln(out, "warning: "+text)
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "\n"))
	}
	fmt.Fprintln(out, f.Path()+": good")
	return nil
}

func appendOnce(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

func graphPaste(out io.Writer, f *paste.File, names []string, asJSON bool) error {
	nodes := []*paste.Node{}
	if len(names) == 0 {
		roots, err := f.Roots()
		if err != nil {
			return err
		}
		for _, s := range roots {
			n, err := f.GraphOf(s)
			if err != nil {
				return err
			}
			nodes = append(nodes, n)
		}
	}
	for _, name := range names {
		n, err := f.Graph(name)
		if err != nil {
			return err
		}
		nodes = append(nodes, n)
	}
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(nodes)
	}
	for i, n := range nodes {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := n.WriteTree(out); err != nil {
			return err
		}
	}
	return nil
}
