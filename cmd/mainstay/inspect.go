// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newInspect() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "inspect [KIND]",
		Short: "Show what the services of a running program show of themselves",
		Long: "Inspect prints, as JSON, what the services in all workers show of a kind, or without one which kinds\n" +
			"there are. A worker that does not answer within two seconds has an error in its place.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := r.status(cmd.Context()); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if len(args) == 1 {
				shown, err := r.client().Inspect(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return writeJSON(out, shown)
			}
			kinds, err := r.client().Kinds(cmd.Context())
			if err != nil {
				return err
			}
			if r.json {
				return writeJSON(out, kinds)
			}
			for _, kind := range kinds {
				fmt.Fprintln(out, kind)
			}
			return nil
		},
	}
	r.flags(cmd)
	return cmd
}
