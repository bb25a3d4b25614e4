// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package stock gives the names of filters in the paste files of nova and neutron their meaning: those of
package middleware, with the options that the program was told.

	conf := config.New(...)
	err := stock.Declare(conf, "nova")
	...
	var r paste.Registry
	urlmap.Register(&r)
	stock.Register(&r, stock.Options{Config: conf, Strategy: func() string { return "noauth2" }})
	api, err := paste.Load("api-paste.ini", "osapi_compute", paste.Options{Registry: &r})

The names are the dotted ones and those of oslo.middleware's eggs, so that the files load unmodified.
What a program has itself stays its own to register: its applications, neutron's extensions, and
authtoken, whose factory Options takes.

A setting in the section of a filter, or in [DEFAULT] of the paste file, wins over the configuration,
for that filter; upstream it changes the configuration of the whole process. cors wants to be told
allowed_origin or oslo_config_project, as upstream; the latter is not looked at, since the program's
configuration is that of the project.

osprofiler's filter does nothing: with profiler.enabled it is an error.
*/
package stock
