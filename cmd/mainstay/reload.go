// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/control"
)

func newReload() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Reload a running program and wait for the outcome",
		Long: "Reload does what HUP does: by the program's restart method new workers take over one by one,\n" +
			"or the running ones take over what changed. It returns when that is complete, refused or abandoned.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.action(cmd, func(ctx context.Context, c *control.Client) (control.Outcome, error) {
				return c.Reload(ctx)
			})
		},
	}
	r.actionFlags(cmd)
	return cmd
}
