// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon_test

import (
	"context"
	"fmt"
	"os"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/daemon"
	"github.com/mainstay-go/mainstay/service"
)

// ExampleRun runs a program that is done at once. A real one calls daemon.Main.
func ExampleRun() {
	type options struct {
		Word string `config:"word,cli" default:"hello" help:"What to say."`
	}
	greeter := daemon.Program{
		Name:    "greeter",
		Version: "1.0",
		Declare: func(conf *config.Config) error { return conf.Register("", options{}) },
		Run: func(ctx context.Context, d *daemon.Daemon) error {
			opts := d.Options()
			opts.Control = ""
			return service.Launch(ctx, opts, service.Func(func(context.Context) error {
				fmt.Println(config.Get[options](d.Config, "").Word)
				return nil
			}))
		},
	}
	environment := map[string]string{"OS_DEFAULT__WORD": "good morning"}
	getenv := func(name string) (string, bool) { v, ok := environment[name]; return v, ok }
	for _, args := range [][]string{{}, {"--word", "good evening"}, {"--version"}} {
		fmt.Println("exit code", daemon.Run(context.Background(), greeter, args, getenv, os.Stdout, os.Stderr))
	}
	// Output:
	// good morning
	// exit code 0
	// good evening
	// exit code 0
	// greeter 1.0
	// exit code 0
}
