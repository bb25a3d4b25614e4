// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mainstay-go/mainstay/daemon"
)

// programs are those of this binary, by the word that starts them.
var programs = map[string]func(out io.Writer) daemon.Program{"up": upProgram}

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Write, check, show and compare configuration files",
		Long: "Config does what the config subcommand of a program does, for the programs of this binary (" + programNames() + "):\n" +
			"mainstay config validate up is mainstay up config validate.",
		Args: cobra.NoArgs,
		Run:  func(cmd *cobra.Command, args []string) { cmd.Help() },
	}
	for verb, short := range map[string]string{
		"sample":   "Write a file of all options, with help and defaults",
		"validate": "Read all files and say what is wrong; --strict refuses unknown options",
		"show":     "Show the values in force and where each is from",
		"diff":     "Show what the running program would change, and which changes need a reload",
	} {
		cmd.AddCommand(&cobra.Command{
			Use:                verb + " PROGRAM [flags of the program]",
			Short:              short,
			DisableFlagParsing: true, // they are the program's
			RunE: func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 || programs[args[0]] == nil {
					return fmt.Errorf("config %s: want the name of a program: %s", verb, programNames())
				}
				return runProgram(cmd, programs[args[0]](cmd.OutOrStdout()), append([]string{"config", verb}, args[1:]...))
			},
		})
	}
	return cmd
}

func programNames() string { return strings.Join(slices.Sorted(maps.Keys(programs)), ", ") }
