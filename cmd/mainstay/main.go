// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Mainstay runs the reference control plane and steers running programs.
//
//	mainstay up                  start the control plane and supervise it
//	mainstay status [--json]     what runs: state, generation, workers
//	mainstay reload              what HUP does, with the outcome
//	mainstay scale [SET] N       so many workers
//	mainstay inspect [KIND]      what the services show of themselves
//	mainstay tasks [NAME...]     periodic tasks: last run, result, next run
//	mainstay stop                graceful stop, with the outcome
//	mainstay prove load TARGET   what a server loses under load
//	mainstay config VERB up      its configuration files: sample, validate, show, diff
//	mainstay paste check FILE    what is wrong with a paste file
//	mainstay paste graph FILE    its pipelines as a tree
//	mainstay version
//
// Status, reload, scale, inspect, tasks and stop ask a program through its control socket, by default that
// of "mainstay up"; with --socket that of any program that uses package service.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/service"
)

const programName = "mainstay"

func main() {
	err := newRoot().ExecuteContext(context.Background())
	if code, ok := errors.AsType[ended](err); ok {
		os.Exit(int(code))
	}
	if err != nil {
		// One line, whatever was joined on the way: the reader may be a log.
		fmt.Fprintf(os.Stderr, "%s: %s\n", programName, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	os.Exit(service.ExitCode(err))
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:                programName,
		Short:              "A service runtime: starts daemons, keeps them running, steers them",
		Version:            version(),
		Args:               cobra.NoArgs,
		SilenceErrors:      true, // main prints them
		SilenceUsage:       true, // an error is one line
		DisableSuggestions: true,
		Run:                func(cmd *cobra.Command, args []string) { cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newUp(), newConfig(), newStatus(), newReload(), newScale(), newInspect(), newTasks(), newStop(), newProve(), newPaste(), newVersion())
	return root
}
