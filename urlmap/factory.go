// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package urlmap

import (
	"fmt"
	"net/http"

	"github.com/mainstay-go/mainstay/paste"
)

// Register adds the URL maps under the names that paste files have for them: egg:Paste#urlmap and
// nova's, which has wildcards and looks at media types.
func Register(r *paste.Registry) {
	r.Composite("Paste#urlmap", Factory)
	r.Composite("paste.urlmap:urlmap_factory", Factory)
	r.Composite("nova.api.openstack.urlmap:urlmap_factory", NovaFactory)
}

// Factory makes a [Map] of a section whose keys are those of [Map.Handle] and whose values are names of
// applications. The key not_found_app, or else the global setting, names what answers the rest.
func Factory(loader paste.Loader, global, local map[string]string) (http.Handler, error) {
	return load(&Map{}, loader, global, local)
}

// NovaFactory is [Factory] with [Map.Wildcards] and [Map.Negotiate].
func NovaFactory(loader paste.Loader, global, local map[string]string) (http.Handler, error) {
	return load(&Map{Wildcards: true, Negotiate: true}, loader, global, local)
}

const notFoundKey = "not_found_app"

func load(m *Map, loader paste.Loader, global, local map[string]string) (http.Handler, error) {
	loader = loader.With(global)
	name, ok := local[notFoundKey]
	if !ok {
		name = global[notFoundKey]
	}
	if name != "" {
		app, err := loader.App(name)
		if err != nil {
			return nil, err
		}
		m.NotFound = app
	}
	for _, key := range loader.Keys() {
		if key == notFoundKey {
			continue
		}
		if _, err := parseAddress(key); err != nil {
			return nil, err
		}
		app, err := loader.App(local[key])
		if err != nil {
			return nil, err
		}
		if err := m.Handle(key, app); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return m, nil
}
