// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"os"

	"github.com/mainstay-go/mainstay/control"
)

// Inspect returns what the services show of a kind, and first what [Options.Inspect] has of it; see
// [control.Client.Inspect]. A service that does not answer in time has an entry with an error. The error
// is that of a kind which nothing shows, or of ctx.
func (l *ServiceLauncher) Inspect(ctx context.Context, kind string) ([]control.Inspection, error) {
	in, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	sources, w := l.sources(kind)
	all := inspections(w, os.Getpid(), l.desk.findings(in, sources, kind))
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case len(all) == 0:
		sources, _ := l.sources("")
		return nil, unknownKind(kind, l.desk.kinds(in, sources))
	}
	return all, nil
}

// Kinds returns what there is to Inspect, sorted. Services that do not answer in time are left out.
func (l *ServiceLauncher) Kinds(ctx context.Context) ([]string, error) {
	in, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	sources, _ := l.sources("")
	kinds := l.desk.kinds(in, sources)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return kinds, nil
}

// sources returns all that may show a kind here, and who this process is.
func (l *ServiceLauncher) sources(kind string) ([]source, Worker) {
	l.mu.Lock()
	g, w := l.group, Worker{Set: l.opts.Name, Count: 1, Generation: l.generation}
	all := l.opts.own(kind)
	l.mu.Unlock()
	if g != nil {
		all = append(all, g.sources("")...)
	}
	return all, w
}

func (t hereTarget) Inspect(ctx context.Context, kind string) ([]control.Inspection, error) {
	return t.l.Inspect(ctx, kind)
}

func (t hereTarget) Kinds(ctx context.Context) ([]string, error) { return t.l.Kinds(ctx) }
