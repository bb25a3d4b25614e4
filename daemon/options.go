// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/logging"
	"github.com/mainstay-go/mainstay/socket"
)

// ServiceOptions are oslo.service's options of every service. Each program has them, in DEFAULT.
type ServiceOptions struct {
	GracefulShutdownTimeout time.Duration `config:"graceful_shutdown_timeout,cli" deprecated:"shutdown_timeout" default:"60" min:"0" unit:"seconds" help:"How long a graceful stop may take; then what is left is cut. 0 waits without end. Also --shutdown-timeout."`
	LogOptions              bool          `config:"log_options" default:"true" help:"Log all options with their values at start, at the level DEBUG."`
}

// RuntimeOptions are those of this runtime. Each program has them, in DEFAULT.
type RuntimeOptions struct {
	RestartMethod string `config:"restart_method,cli" choices:"reload,mutate" default:"reload" help:"What HUP does: reload, which replaces workers, or mutate, which changes mutable options in place."`
	Procs         int    `config:"procs,cli" default:"0" min:"0" help:"GOMAXPROCS of each worker process; 0 is an equal share of the CPUs, at least 2."`
	StatePath     string `config:"state_path,cli" help:"Folder of the control socket, made if absent. Unset: mainstay in $XDG_STATE_HOME, else /var/lib/mainstay for root and ~/.local/state/mainstay for others, if it can be had."`
}

// ServerOptions are for programs with one address. They register them, in DEFAULT, with their own
// default of listen by SetDefault.
type ServerOptions struct {
	Listen  string `config:"listen,cli" default:"127.0.0.1:8080" help:"Address to serve on: HOST:PORT, [::1]:PORT, :PORT, unix:/PATH or unix:@NAME."`
	Workers int    `config:"workers,cli" default:"1" min:"0" max:"4096" help:"Worker processes. For 0 and 1 a program may serve in its own process."`
}

// ValidateServer refuses an address that cannot be one. It is a Validate of programs that have
// registered [ServerOptions].
func ValidateServer(s *config.Snapshot) error {
	if _, _, err := socket.ParseAddress(config.Get[ServerOptions](s, "").Listen); err != nil {
		return s.Refuse("", "listen", err.Error())
	}
	return nil
}

// PasteOptions are for programs that make their pipeline of a paste file, in DEFAULT.
// config.Config.FindFile finds it.
type PasteOptions struct {
	APIPasteConfig string `config:"api_paste_config" default:"api-paste.ini" help:"File of the pipelines, searched for beside the configuration files if it is relative."`
}

// register declares what every program has.
func register(conf *config.Config) error {
	for _, options := range []any{ServiceOptions{}, RuntimeOptions{}} {
		if err := conf.Register("", options); err != nil {
			return err
		}
	}
	return logging.Register(conf)
}
