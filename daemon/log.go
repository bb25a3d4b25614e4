// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/logging"
	"github.com/mainstay-go/mainstay/service"
)

// worker is what the lines of a worker process say of it: "api 0".
func worker() string {
	if w, ok := service.ThisWorker(); ok {
		return fmt.Sprintf("%s %d", w.Set, w.ID)
	}
	return ""
}

// A relay is the handler of package config's logger, which is there before the log is set up: what it
// gets before then is dropped. It has no attributes.
type relay struct{ to atomic.Pointer[slog.Handler] }

func (r *relay) Enabled(ctx context.Context, level slog.Level) bool {
	to := r.to.Load()
	return to != nil && (*to).Enabled(ctx, level)
}

func (r *relay) Handle(ctx context.Context, rec slog.Record) error {
	if to := r.to.Load(); to != nil {
		return (*to).Handle(ctx, rec)
	}
	return nil
}

func (r *relay) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r *relay) WithGroup(string) slog.Handler      { return r }

// beginLog says in the log what there is to say about the configuration.
func (d *Daemon) beginLog() {
	for _, w := range d.Config.Snapshot().Warnings() {
		d.Logger.Warn(w.String())
	}
	if n := len(d.Config.Unknown()); n > 0 {
		d.Logger.Info("configuration files have options that nobody declared; config validate names them", "count", n)
	}
	d.logOptions()
}

// logOptions is oslo.service's dump of all options.
func (d *Daemon) logOptions() {
	if config.Get[ServiceOptions](d.Config, "").LogOptions {
		d.Config.LogValues(d.Logger, slog.LevelDebug)
	}
}

// followLog has the log take over its options, as far as it can while it is open.
func (d *Daemon) followLog() error { return d.log.Apply(config.Get[logging.Options](d.Config, "")) }

// warnLog says that a reload does not open another log in a process that goes on.
func (d *Daemon) warnLog(before logging.Options) {
	now := config.Get[logging.Options](d.Config, "")
	if before.Debug = now.Debug; !reflect.DeepEqual(before, now) {
		d.Logger.Warn("options of the log have changed: new workers follow, this process logs as before until it is started again")
	}
}
