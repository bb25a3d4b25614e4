// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/control"
)

// configKind is what a running program shows of its configuration: a list of config.Setting.
const configKind = "config"

// answerTimeout bounds how long the running program may take to say what it runs on.
const answerTimeout = 10 * time.Second

// command is the config subcommand: that of package config, and the difference to the running program.
func (d *Daemon) command(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) > 1 && args[1] == "diff" && (len(args) == 2 || strings.HasPrefix(args[2], "-") && args[2] != "-h" && args[2] != "--help") {
		return d.diff(ctx, args[2:], stdout)
	}
	_, err := d.Config.Command(args, stdout)
	return err
}

// diff writes how the files differ from what the running program of this name has read. It finds that
// by the state path that the files and args say.
func (d *Daemon) diff(ctx context.Context, args []string, stdout io.Writer) error {
	switch err := d.Config.Parse(args); {
	case errors.Is(err, config.ErrHelp):
		return d.usage(stdout)
	case err != nil:
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	running, err := runningSettings(ctx, control.NewClient(d.SocketPath()))
	if err != nil {
		return fmt.Errorf("config diff: %w", err)
	}
	for _, line := range config.CompareSettings(running, d.Config.Snapshot().Settings()) {
		if _, err := fmt.Fprintln(stdout, line); err != nil {
			return err
		}
	}
	return nil
}

// runningSettings asks a program what it runs on.
func runningSettings(ctx context.Context, c *control.Client) ([]config.Setting, error) {
	shown, err := c.Inspect(ctx, configKind)
	if err != nil {
		return nil, err
	}
	for _, in := range shown {
		if in.Service != "" {
			continue // of a service, whatever it means by that
		}
		if in.Error != "" {
			return nil, errors.New(in.Error)
		}
		var settings []config.Setting
		err := json.Unmarshal(in.Value, &settings)
		return settings, err
	}
	return nil, errors.New("the program does not show its configuration")
}
