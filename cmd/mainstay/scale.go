// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/control"
)

func newScale() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "scale [SET] N",
		Short: "Change the number of workers of a running program",
		Long: "Scale sets the number of workers of a set. It returns when new ones are ready and those too many have\n" +
			"gone. A program with one set needs no name. Workers that were given up are tried again. The number holds\n" +
			"through reloads, until the configuration says another one than it did at the time of the scale.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var set string
			if len(args) == 2 {
				set = args[0]
			}
			text := args[len(args)-1]
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return fmt.Errorf("scale: %q: want a number of workers, 0 or more", text)
			}
			return r.action(cmd, func(ctx context.Context, c *control.Client) (control.Outcome, error) {
				return c.Scale(ctx, set, n)
			})
		},
	}
	r.actionFlags(cmd)
	return cmd
}
