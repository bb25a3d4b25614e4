// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/control"
)

// An Inspector shows what a service knows of itself, for people and for tools: Inspect returns a value
// for each kind of thing that it has to show, as tasks, which encodes as JSON. The control socket
// collects the values of a kind from all workers, see [control.Client.Inspect].
//
// Inspect is called from a goroutine of its own at any moment of a service's life, before Start and
// after its end too, but never twice at the same time. It must not block: one that has not returned in
// time, and one that panics, is shown as that error. What it returns is encoded at once, and must not
// change meanwhile. Like the other optional methods it is found through Unwrap; in a [Group] each member
// shows its own.
type Inspector interface {
	Inspect() map[string]any
}

const (
	// inspectTimeout bounds how long a process may take to show what it has.
	inspectTimeout = 2 * time.Second

	// maxShown bounds one value: beyond it there is a mistake to be seen rather than a value.
	maxShown = 32 << 20
)

// A finding is what one service, or the launcher itself, shows of one kind.
type finding struct {
	Service string          `json:"service,omitempty"` // within groups with their names: jobs/reaper
	Value   json.RawMessage `json:"value,omitempty"`
	Error   string          `json:"error,omitempty"` // why there is no value
}

// A source is one place that findings come from.
type source struct {
	key  any // tells it from the others of its process
	name string
	show func() map[string]any
}

// sources returns a source for every member that is an [Inspector], also of groups in groups, whose
// names lead to theirs.
func (g *Group) sources(prefix string) (all []source) {
	for _, m := range g.members {
		switch i, inner := inspectorOf(m.svc); {
		case i != nil:
			all = append(all, source{m, prefix + m.name, i.Inspect})
		case inner != nil:
			all = append(all, inner.sources(prefix+m.name+"/")...)
		}
	}
	return all
}

// inspectorOf returns what svc, or what it wraps, shows of itself, or the group that it is; both nil
// for a service that shows nothing.
func inspectorOf(svc Service) (Inspector, *Group) {
	for !absent(svc) {
		if i, ok := svc.(Inspector); ok {
			return i, nil
		}
		if g, ok := svc.(*Group); ok {
			return nil, g
		}
		u, ok := svc.(unwrapper)
		if !ok {
			break
		}
		svc = u.Unwrap()
	}
	return nil, nil
}

// own returns the source of what [Options.Inspect] has of a kind; of the kind "", all there are.
func (o *Options) own(kind string) []source {
	inspect := o.Inspect // which a reload may replace
	if kind == "" {
		return []source{{"", "", func() map[string]any { return kindsOf(inspect) }}}
	}
	if f := inspect[kind]; f != nil {
		return []source{{kind, "", func() map[string]any { return map[string]any{kind: f()} }}}
	}
	return nil
}

// kindsOf has a key for each kind of [Options.Inspect].
func kindsOf(inspect map[string]func() any) map[string]any {
	kinds := make(map[string]any)
	for kind, f := range inspect {
		if f != nil {
			kinds[kind] = nil
		}
	}
	return kinds
}

// A desk asks sources, each once at a time: whoever asks while an answer is being made gets the same
// one, so that an Inspect that hangs holds one goroutine and not one for each question. The zero desk is
// ready; its methods may be called from many goroutines.
type desk struct {
	mu   sync.Mutex
	open map[question]*shown
}

// A question is one kind asked of one source; the kind "" asks which there are.
type question struct {
	key  any
	kind string
}

// shown is the answer to a question, once done is closed.
type shown struct {
	done  chan struct{}
	kinds []string        // there are
	value json.RawMessage // of the kind asked for; nil if there is none
	err   error
}

// errSlowInspect is the finding of a source that has not answered in time.
var errSlowInspect = errors.New("no answer in time")

// findings asks all sources for one kind, at the same time, and returns what they show, in order.
func (d *desk) findings(ctx context.Context, sources []source, kind string) []finding {
	found := []finding{}
	for i, s := range d.askAll(ctx, sources, kind) {
		switch {
		case s.err != nil:
			found = append(found, finding{Service: sources[i].name, Error: s.err.Error()})
		case s.value != nil:
			found = append(found, finding{Service: sources[i].name, Value: s.value})
		}
	}
	return found
}

// kinds asks all sources what they have to show. Those that do not answer are left out.
func (d *desk) kinds(ctx context.Context, sources []source) (kinds []string) {
	for _, s := range d.askAll(ctx, sources, "") {
		kinds = append(kinds, s.kinds...)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func (d *desk) askAll(ctx context.Context, sources []source, kind string) []*shown {
	answers := make([]*shown, len(sources))
	for i, src := range sources {
		answers[i] = d.ask(src, kind)
	}
	for i, s := range answers {
		select {
		case <-s.done:
			continue
		default:
		}
		select {
		case <-s.done:
		case <-ctx.Done():
			answers[i] = &shown{err: errSlowInspect}
		}
	}
	return answers
}

// ask has one source answer, and does not wait for it.
func (d *desk) ask(src source, kind string) *shown {
	q := question{src.key, kind}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.open[q]; s != nil {
		return s
	}
	if d.open == nil {
		d.open = make(map[question]*shown)
	}
	s := &shown{done: make(chan struct{})}
	d.open[q] = s
	go func() { // nobody waits for it: it may hang for ever
		defer d.close(q, s)
		s.look(src.show, kind)
	}()
	return s
}

// close lets the next one who asks q have an answer of its own.
func (d *desk) close(q question, s *shown) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, q)
	close(s.done)
}

// look calls show and encodes what it returns. A panic of either is the answer's error.
func (s *shown) look(show func() map[string]any, kind string) {
	defer func() {
		if p := recover(); p != nil {
			s.err = fmt.Errorf("panic: %v", p)
		}
	}()
	values := show()
	if kind == "" {
		s.kinds = slices.Collect(maps.Keys(values))
		return
	}
	v, ok := values[kind]
	if !ok {
		return
	}
	data, err := json.Marshal(v)
	switch {
	case err != nil:
		s.err = err
	case len(data) > maxShown:
		s.err = fmt.Errorf("value of %d bytes, at most %d are shown", len(data), maxShown)
	default:
		s.value = data
	}
}

// inspections returns findings of a process as the control socket shows them.
func inspections(w Worker, pid int, found []finding) (all []control.Inspection) {
	for _, f := range found {
		all = append(all, control.Inspection{
			Set: w.Set, Worker: w.ID, Pid: pid, Generation: w.Generation, Service: f.Service, Value: f.Value, Error: f.Error,
		})
	}
	return all
}
