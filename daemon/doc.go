// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package daemon is the main function of programs that are run by operators: command line,
// configuration files, log, reload and control, by one call.
//
//	func main() {
//		daemon.Main(daemon.Program{
//			Name:    "hello",
//			Project: "hello",
//			Declare: func(conf *config.Config) error { return conf.Register("", options{}) },
//			Run: func(ctx context.Context, d *daemon.Daemon) error {
//				api, err := service.Build("api", func(ctx context.Context) (service.Service, error) {
//					return newServer(ctx, config.Get[options](d.Config, ""))
//				})
//				if err != nil {
//					return err
//				}
//				opts := d.Options()
//				opts.Workers = config.Get[options](d.Config, "").Workers
//				return service.Launch(ctx, opts, api)
//			},
//		})
//	}
//
// # What the program has then
//
//	hello [flags]                     every option that is declared with cli, --config-file, --config-dir
//	hello --check [--strict]          make and check the plan, print it, start nothing
//	hello --help, --version
//	hello config sample               a file of all options, commented
//	hello config validate [--strict]  read all files, say all that is wrong
//	hello config show [--json]        values in force and where each is from
//	hello config diff [FILE]          what the running program would change, and which changes need a reload
//
// Options that every program has are [ServiceOptions], [RuntimeOptions] and those of the log; a
// program adds its own, and the structs that packages such as web offer. At the level DEBUG all
// values are logged at start, between lines of 80 asterisks, secrets masked. Mistakes are lines on
// standard error, each with the place and what was expected, and exit code 1. Options that nobody
// declared are warnings of --check and config validate, and stop nothing without --strict.
//
// # Reload
//
// HUP, or mainstay reload, reads the files again, by restart_method. The new files are read once, by a
// short-lived probe that comes as far as Launch: what it refuses is in the log in full and changes
// nothing.
//
//   - reload: new workers with the new files take over, one by one: counts, addresses and all options
//     follow. A program in one process makes its services anew, by service.Build; it stays in one process.
//   - mutate: the same processes take over the options that are declared mutable, are told by hooks
//     (config.Config.OnMutate), and their services are Reset. Each change is one line in the launcher's
//     log, and each change that was ignored is a warning that a reload is needed.
//
// All workers of a generation run on the same bytes of all files, and the same listing of folders, those
// that start later too. The fingerprint in the status is that of these bytes.
package daemon
