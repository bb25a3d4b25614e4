// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package urlmap sends requests to handlers by the beginning of their path, and by host and port: the
egg:Paste#urlmap and nova's urlmap of paste files.

	[composite:osapi_compute]
	use = call:nova.api.openstack.urlmap:urlmap_factory
	/: versions
	/v2.1: version
	/v2.1/+: api
	domain metadata.example.com port 8775 /: metadata

	m := &urlmap.Map{}
	err := m.Handle("/v2.1", api)

[Register] adds the factories to a paste.Registry; a [Map] may be used alone.

# Which handler

A key is a path, with "domain NAME" and then "port NUMBER" before or behind it. A path matches what
equals it or goes on behind it with a slash; "/" matches everything. The longest match wins, and one
with a domain before all without; of several with a domain that match, that with the domain first in
the alphabet wins, so "example.com" before "example.com port 80". Hosts are compared in lower case. A
request that names no port has 80, or 443 over TLS or with "https" as the scheme of its URL.

Slashes that follow each other are one, in the request and in keys, and a key's last one is ignored. As
in WSGI the path is matched unquoted: "/v2%2E1" is "/v2.1", and %2F is a slash.

With [Map.Wildcards] a key that ends in "/+" matches what goes on behind the slash, and nothing else:
"/v2.1/+" matches "/v2.1/servers", and neither "/v2.1" nor "/v2.1/". Its "/+" counts for its length;
of two keys as long as each other the first in the alphabet wins, as in nova.

What matches nothing goes to [Map.NotFound], or is answered by 404 as Paste does it, in HTML where the
client takes that.

# What handlers see

As with [http.StripPrefix] the handler finds the rest of the path in r.URL.Path, which is WSGI's
PATH_INFO: empty for a request of the mount itself, else beginning with a slash. What was taken away is
[Prefix], WSGI's SCRIPT_NAME; maps within maps add up. r.RequestURI stays.

[http.ServeMux] redirects an empty path to "/", at the root of the server. Put package route behind a
map instead, or a key for the mount alone.

# Versions

With [Map.Negotiate] the version may also come from the media type, as in nova: a request that matches
no path but "/" is looked up as "/v" and the version parameter of its Content-Type, or else of the best
of its Accept header, with its path as it is. [ContentType] is what the client wants: by the
ending of the path, by Accept, or application/json.
*/
package urlmap
