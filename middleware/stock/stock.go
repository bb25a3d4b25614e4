// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/middleware"
	"github.com/mainstay-go/mainstay/paste"
	"github.com/mainstay-go/mainstay/urlmap"
)

// Options say what the filters are made with.
type Options struct {
	// Config has the options that Declare declared. Filters read them when they are made. Nil is their
	// defaults.
	Config config.Reader

	// Strategy is what auth_strategy is set to, for the pipeline factories of nova and neutron. Nil
	// leaves those unregistered.
	Strategy func() string

	// AuthToken makes keystonemiddleware's filter. Nil leaves it unregistered.
	AuthToken paste.FilterFactory

	// Logger is what filters log to; nil is slog.Default().
	Logger *slog.Logger
}

// ProfilerOptions are what is looked at of osprofiler's, in the group profiler.
type ProfilerOptions struct {
	Enabled bool `config:"enabled" default:"false" deprecated:"profiler.profiler_enabled" help:"Enable the profiling for all services on this node. There is none here: a program that is told to refuses to load its pipeline."`
}

// Declare declares the options of all filters, with the defaults that a project has for cors: nova,
// neutron, or another for oslo.middleware's own.
func Declare(c *config.Config, project string) error {
	var errs []error
	for _, g := range []struct {
		group   string
		options any
	}{
		{"oslo_middleware", middleware.ProxyOptions{}}, {"oslo_middleware", middleware.SizeLimitOptions{}},
		{"cors", middleware.CORSOptions{}}, {"healthcheck", middleware.HealthOptions{}}, {"profiler", ProfilerOptions{}},
	} {
		errs = append(errs, c.Register(g.group, g.options))
	}
	for name, value := range corsDefaults[project] {
		errs = append(errs, c.SetDefault("cors", name, value))
	}
	return errors.Join(errs...)
}

// corsDefaults are what projects set for their APIs.
var corsDefaults = map[string]map[string]string{
	"nova": {
		"allow_headers":  "X-Auth-Token,X-Openstack-Request-Id,X-Identity-Status,X-Roles,X-Service-Catalog,X-User-Id,X-Tenant-Id,X-OpenStack-Nova-API-Version,OpenStack-API-Version",
		"expose_headers": "X-Auth-Token,X-Openstack-Request-Id,X-Subject-Token,X-Service-Token,X-OpenStack-Nova-API-Version,OpenStack-API-Version",
		"allow_methods":  "GET,PUT,POST,DELETE,PATCH",
	},
	"neutron": {
		"allow_headers":  "X-Auth-Token,X-Identity-Status,X-Roles,X-Service-Catalog,X-User-Id,X-Tenant-Id,X-OpenStack-Request-ID",
		"expose_headers": "X-Auth-Token,X-Subject-Token,X-Service-Token,X-OpenStack-Request-ID,OpenStack-Volume-microversion",
		"allow_methods":  "GET,PUT,POST,DELETE,PATCH",
	},
}

const novaVersion = "X-OpenStack-Nova-API-Version"

// Register adds the factories.
func Register(r *paste.Registry, o Options) {
	if o.Config == nil {
		c := config.New(config.Options{})
		if err := Declare(c, ""); err != nil {
			panic(err) // two options of one name, in the tags above
		}
		o.Config = c
	}
	f := &factories{o}
	// oslo.middleware's: by the package, by the module, and by the egg.
	for _, filter := range []struct {
		module, class, egg string
		factory            paste.FilterFactory
	}{
		{"cors", "CORS.factory", "cors", f.cors},
		{"http_proxy_to_wsgi", "HTTPProxyToWSGI.factory", "http_proxy_to_wsgi", f.proxy},
		{"request_id", "RequestId.factory", "request_id", always(middleware.RequestID())},
		{"catch_errors", "CatchErrors.factory", "catch_errors", always(middleware.CatchErrors(o.Logger))},
		{"sizelimit", "RequestBodySizeLimiter.factory", "sizelimit", f.sizelimit},
		{"healthcheck", "Healthcheck.factory", "healthcheck", f.healthcheck},
	} {
		r.Filter("oslo_middleware:"+filter.class, filter.factory)
		r.Filter("oslo_middleware."+filter.module+":"+filter.class, filter.factory)
		r.Filter("oslo.middleware#"+filter.egg, filter.factory)
	}
	r.Filter("oslo_middleware.cors:filter_factory", f.cors)
	for _, name := range []string{"oslo_middleware:Healthcheck.app_factory", "oslo_middleware.healthcheck:Healthcheck.app_factory", "oslo.middleware#healthcheck"} {
		r.App(name, f.healthcheckApp)
	}
	for name, factory := range map[string]paste.FilterFactory{
		"nova.api.compute_req_id:ComputeReqIdMiddleware.factory": always(middleware.RequestID("X-Compute-Request-Id")),
		"nova.api.openstack:FaultWrapper.factory":                always(middleware.FaultWrapper(o.Logger)),
		"nova.api.openstack:LegacyV2CompatibleWrapper.factory":   always(middleware.LegacyV2(novaVersion)),
		"nova.api.openstack.requestlog:RequestLog.factory":       f.requestLog,
		"nova.api.openstack.auth:NoAuthMiddleware.factory":       always(middleware.NoAuth2()),
		"nova.api.openstack.auth:NoAuthMiddlewareV2_18.factory":  always(middleware.NoAuth2V218()),
		"nova.api.auth:NovaKeystoneContext.factory":              always(middleware.KeystoneContext()),
		"neutron.auth:NeutronKeystoneContext.factory":            always(middleware.KeystoneContext()),
		"neutron.auth:NoauthFakeProjectId.factory":               always(middleware.FakeProjectID()),
		"nova.profiler:WsgiMiddleware.factory":                   f.profiler,
		"osprofiler.web:WsgiMiddleware.factory":                  f.profiler,
	} {
		r.Filter(name, factory)
	}
	if o.AuthToken != nil {
		r.Filter("keystonemiddleware.auth_token:filter_factory", o.AuthToken)
		r.Filter("keystonemiddleware#auth_token", o.AuthToken)
	}
	if o.Strategy != nil {
		r.Composite("nova.api.auth:pipeline_factory_v21", paste.Pipelines(o.Strategy))
		r.Composite("neutron.auth:pipeline_factory", paste.Pipelines(o.Strategy))
	}
}

// always is a factory without settings.
func always(f middleware.Filter) paste.FilterFactory {
	return func(global, local map[string]string) (func(http.Handler) http.Handler, error) { return f, nil }
}

type factories struct{ Options }

func (f *factories) cors(global, local map[string]string) (func(http.Handler) http.Handler, error) {
	_, origin := local["allowed_origin"]
	if _, project := local["oslo_config_project"]; !origin && !project {
		return nil, errors.New("allowed_origin or oslo_config_project is required")
	}
	o := config.Get[middleware.CORSOptions](f.Config, "cors")
	s := merge(global, local)
	s.list("allowed_origin", &o.AllowedOrigin)
	s.boolean("allow_credentials", &o.AllowCredentials)
	s.list("expose_headers", &o.ExposeHeaders)
	s.integer("max_age", &o.MaxAge)
	s.list("allow_methods", &o.AllowMethods)
	s.list("allow_headers", &o.AllowHeaders)
	if s.err != nil {
		return nil, s.err
	}
	return middleware.CORS(o)
}

// proxy also tells package urlmap the prefix, which is the begin of the SCRIPT_NAME that it keeps.
func (f *factories) proxy(global, local map[string]string) (func(http.Handler) http.Handler, error) {
	o := config.Get[middleware.ProxyOptions](f.Config, "oslo_middleware")
	s := merge(global, local)
	s.boolean("enable_proxy_headers_parsing", &o.EnableProxyHeadersParsing)
	s.list("trusted_proxies", &o.TrustedProxies)
	if s.err != nil {
		return nil, s.err
	}
	filter, err := middleware.HTTPProxyToWSGI(o)
	if err != nil || !o.EnableProxyHeadersParsing {
		return filter, err
	}
	return func(next http.Handler) http.Handler {
		return filter(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if prefix := middleware.Prefix(r); prefix != "" {
				r = r.WithContext(urlmap.WithPrefix(r.Context(), prefix+urlmap.Prefix(r)))
			}
			next.ServeHTTP(w, r)
		}))
	}, nil
}

func (f *factories) sizelimit(global, local map[string]string) (func(http.Handler) http.Handler, error) {
	o := config.Get[middleware.SizeLimitOptions](f.Config, "oslo_middleware")
	s := merge(global, local)
	size := int(o.MaxRequestBodySize)
	s.integer("max_request_body_size", &size)
	o.MaxRequestBodySize = int64(size)
	if s.err != nil {
		return nil, s.err
	}
	return middleware.RequestBodySizeLimiter(o)
}

func (f *factories) requestLog(global, local map[string]string) (func(http.Handler) http.Handler, error) {
	return middleware.RequestLog(middleware.RequestLogOptions{Logger: f.Logger})
}

func (f *factories) healthcheck(global, local map[string]string) (func(http.Handler) http.Handler, error) {
	o, err := f.healthOptions(global, local)
	if err != nil {
		return nil, err
	}
	return middleware.Healthcheck(o)
}

func (f *factories) healthcheckApp(global, local map[string]string) (http.Handler, error) {
	o, err := f.healthOptions(global, local)
	if err != nil {
		return nil, err
	}
	return middleware.HealthcheckApp(o)
}

func (f *factories) healthOptions(global, local map[string]string) (middleware.HealthOptions, error) {
	o := config.Get[middleware.HealthOptions](f.Config, "healthcheck")
	s := merge(global, local)
	s.text("path", &o.Path)
	s.boolean("detailed", &o.Detailed)
	s.list("backends", &o.Backends)
	s.list("allowed_source_ranges", &o.AllowedSourceRanges)
	s.boolean("ignore_proxied_requests", &o.IgnoreProxiedRequests)
	s.text("disable_by_file_path", &o.DisableByFilePath)
	s.list("disable_by_file_paths", &o.DisableByFilePaths)
	s.list("enable_by_file_paths", &o.EnableByFilePaths)
	return o, s.err
}

func (f *factories) profiler(global, local map[string]string) (func(http.Handler) http.Handler, error) {
	o := config.Get[ProfilerOptions](f.Config, "profiler")
	s := merge(global, local)
	s.boolean("enabled", &o.Enabled)
	if s.err == nil && o.Enabled {
		s.err = fmt.Errorf("enabled: osprofiler is not part of this program: set [profiler] enabled = false")
	}
	return func(next http.Handler) http.Handler { return next }, s.err
}
