// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package paste

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mainstay-go/mainstay/internal/ini"
)

// Pipelines returns the composite factory that nova and neutron call pipeline_factory: its section has
// a pipeline for each strategy of authentication,
//
//	[composite:openstack_compute_api_v21]
//	use = call:nova.api.auth:pipeline_factory_v21
//	keystone = cors request_id authtoken keystonecontext app
//	noauth2 = cors request_id noauth2 app
//
// and choose says, for each load, which of them is made: what auth_strategy is set to. The others are
// not looked at. As upstream, what the section sets is not handed on.
func Pipelines(choose func() string) CompositeFactory {
	return func(loader Loader, _, local map[string]string) (http.Handler, error) {
		strategy := choose()
		line, ok := local[strategy]
		if !ok {
			return nil, fmt.Errorf("no pipeline for the strategy %q: want one of %s", strategy, strings.Join(loader.Keys(), ", "))
		}
		names := strings.FieldsFunc(line, ini.IsSpace)
		if len(names) == 0 {
			return nil, fmt.Errorf("the pipeline %s is empty: want filters and an application at the end", strategy)
		}
		var filters []Filter
		for _, name := range names[:len(names)-1] {
			filter, err := loader.Filter(name)
			if err != nil {
				return nil, err
			}
			filters = append(filters, filter)
		}
		app, err := loader.App(names[len(names)-1])
		for _, filter := range slices.Backward(filters) {
			if err == nil {
				app, err = filter(app)
			}
		}
		return app, err
	}
}
