// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package paste turns a paste file, such as nova's and neutron's api-paste.ini, into an http.Handler:
applications, the filters around them, and composites of both.

	registry := &paste.Registry{}
	registry.App("nova.api.openstack.compute:APIRouterV21.factory", newRouter)
	registry.Filter("oslo_middleware:RequestId.factory", requestID)
	...
	app, err := paste.Load("/etc/nova/api-paste.ini", "osapi_compute", paste.Options{
		Registry: registry, ReadFile: service.ReadFile,
	})

The grammar and what it means are those of Python's PasteDeploy 3, down to its quirks; a corpus of 250
files is held against it. Where PasteDeploy imports what a file names, a [Registry] says what the names
stand for, so that files written for Python load unchanged. A [File] that was opened makes several
things, shows its sections, and draws its pipelines by [File.Graph] without making any.

# Sections

	[composite:osapi_compute]             an application made of others, by the factory named in use
	use = egg:Paste#urlmap
	/: versions
	/v2.1: api

	[pipeline:api]                        filters, and the application behind them at the end
	pipeline = cors request_id router

	[app:router]                          an application, with settings for its factory
	paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory
	greeting = hello from %(here)s

	[filter:cors]
	paste.filter_factory = oslo_middleware.cors:filter_factory
	oslo_config_project = nova

	[filter-app:guarded]                  a filter with the application behind it
	use = cors
	next = router

	[server:main]
	paste.server_factory = ...

The kinds app and composite are also written application and composit. A section says what it is by one of:

	use = NAME                 another section of the file, under the settings of this one
	use = egg:DIST#ENTRY       an entry of a distribution, main if there is no #ENTRY
	use = call:MODULE:FUNC     a function, of the kind that the section has
	use = config:FILE#NAME     a section of another file; relative to the folder of this one
	paste.KIND = MODULE:ATTR   app_factory, composite_factory, filter_factory, filter_app_factory,
	                           server_factory or server_runner

Wherever a section is named (in use, next, filter-with, pipelines and composites) a URI may stand.
Each reference makes an instance of its own: a filter in two pipelines is made twice.

These keys have a meaning in every section:

	set KEY = VALUE      changes the global configuration, of what this section loads too
	get KEY = GLOBAL     copies a global setting into the local ones
	filter-with = NAME   a filter around what this section makes, an application or a filter
	require = DIST ...   distributions that must be known, see [Registry.Distribution]

All others are the local settings that the factory is given, [DEFAULT] is the global ones.

# Quirks

They are PasteDeploy's, and kept:

  - A key that [DEFAULT] has too is not local, even where the section gives it another value: the
    factory finds DEFAULT's among the global ones. Yet %(key)s in that section is the section's.
  - Keys keep their case; = and : both delimit; a line indented deeper than its key continues the
    value, also a line that looks like a section; there are no comments behind a value.
  - A section or a key that comes twice is an error, other than in oslo.config.
  - All of a pipeline's keys but pipeline, set and filter-with are errors; of a section that uses a
    pipeline the local settings go nowhere.
  - What comes through use = config: has its names looked up in the file that uses it.
  - A composite hands on its global settings only where its factory does: urlmap does,
    pipeline_factory ([Pipelines]) does not.

Differences: filter-with around a pipeline, a filter-app or a section that has filter-with already
works here, there it fails with the first request; call:MODULE:CLASS.METHOD works, as documented there;
a name stands for a factory of the kind it was registered as, and for nothing else; a file that refers
to itself is refused by name and not by a stack overflow.

# Errors

An error is one line with file, line and section, and begins as PasteDeploy's does. It never has the
value of a setting, which may be a password. Factories that nobody registered are all named at once, as
[UnknownError], with the nearest names that are. [ErrConfigNotFound] and [ErrAppNotFound] are the
ConfigNotFound and PasteAppNotFound of nova's loader.

Load in main, or in the Check of a service, and a broken file is refused before a reload stops anything.
*/
package paste
