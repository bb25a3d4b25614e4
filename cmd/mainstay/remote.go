// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/control"
)

const (
	// answerTimeout bounds what a program answers at once, if it is well.
	answerTimeout = 5 * time.Second
	// goneTimeout bounds the wait for a stopped program to leave its socket.
	goneTimeout = 5 * time.Second
	gonePoll    = 5 * time.Millisecond
)

// remote is the part of a command that asks a running program.
type remote struct {
	socket, statePath string
	json              bool
	progress          bool
}

// flags adds what says which program is meant.
func (r *remote) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.socket, "socket", "", "control socket of the program (default mainstay.sock under the state path)")
	cmd.Flags().StringVar(&r.statePath, "state-path", control.StatePath(), "directory of the program's state")
	cmd.Flags().BoolVar(&r.json, "json", false, "print the answer as JSON")
}

// actionFlags adds those of a command that does something.
func (r *remote) actionFlags(cmd *cobra.Command) {
	r.flags(cmd)
	cmd.Flags().BoolVar(&r.progress, "progress", false, "print on standard error how far it is (default on a terminal)")
}

func (r *remote) client() *control.Client {
	return control.NewClient(cmp.Or(r.socket, control.SocketPath(r.statePath, programName)))
}

// status asks for what is answered at once, and so finds out whether anybody answers.
func (r *remote) status(ctx context.Context) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return r.client().Status(ctx)
}

// action asks for something to be done and prints the outcome. It waits for that without end: the
// program has deadlines of its own. A program that does not answer at all is found out first.
func (r *remote) action(cmd *cobra.Command, do func(context.Context, *control.Client) (control.Outcome, error)) error {
	if _, err := r.status(cmd.Context()); err != nil {
		return err
	}
	client, stderr := r.client(), cmd.ErrOrStderr()
	if r.progress || !cmd.Flags().Changed("progress") && isTerminal(stderr) {
		client.Progress = newProgressPrinter(stderr).print
	}
	out, err := do(cmd.Context(), client)
	if r.json && (err == nil || out.Action != "") {
		return errors.Join(writeJSON(cmd.OutOrStdout(), out), err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), describe(out))
	return err
}

// describe says in a line how an action ended.
func describe(out control.Outcome) string {
	line := fmt.Sprintf("%s done in %v, generation %d", out.Action, time.Duration(out.Millis)*time.Millisecond, out.Generation)
	if out.Cut > 0 {
		line += fmt.Sprintf(", %d cut at the deadline", out.Cut)
	}
	if out.Lost > 0 {
		line += fmt.Sprintf(", %d requests lost", out.Lost)
	}
	return line
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
