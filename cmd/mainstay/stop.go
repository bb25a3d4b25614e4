// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/control"
)

func newStop() *cobra.Command {
	var r remote
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop a running program gracefully and wait until it has gone",
		Long: "Stop does what TERM does: no new requests, those under way end, within the program's shutdown\n" +
			"timeout. It returns when the last worker has gone.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.action(cmd, func(ctx context.Context, c *control.Client) (control.Outcome, error) {
				return c.Stop(ctx)
			}); err != nil {
				return err
			}
			r.awaitGone(cmd.Context())
			return nil
		},
	}
	r.actionFlags(cmd)
	return cmd
}

// awaitGone waits until nobody answers any more, so that "mainstay stop && mainstay up" finds the
// socket free. The answer to a stop comes from a program that still has to exit.
func (r *remote) awaitGone(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	for ctx.Err() == nil {
		if _, err := r.client().Status(ctx); err != nil {
			return
		}
		select {
		case <-time.After(gonePoll):
		case <-ctx.Done():
		}
	}
}
