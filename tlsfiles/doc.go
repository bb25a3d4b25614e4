// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package tlsfiles makes TLS of files: certificates, keys and the CA that clients' certificates come from,
which are checked before anything begins, and used anew when they change.

[Options] are oslo.service's of the group ssl, and more; [Open] reads the files, and [Source.Config] is
for a server:

	files, err := tlsfiles.Open(tlsfiles.Options{CertFile: "cert.pem", KeyFile: "key.pem"})
	...
	go files.Watch(ctx)
	server := &http.Server{TLSConfig: files.Config()}
	err = server.ServeTLS(ln, "", "")

A web.Server does that itself, of its field TLS.

# What is refused

[Options.Check] and [Open] read everything and name all that is wrong in one line: files that are missing
or cannot be read, that are not PEM or have no certificate or key in them, keys that are encrypted or
belong to another certificate, versions and ciphers that Go does not have, and keys that the version and
the ciphers have no use for, which a handshake in memory shows. A certificate that has expired or is not valid yet
is no error but a warning, as clocks can be wrong and some clients do not care.

# Versions

version is as upstream has it the one version to speak; min_version is the oldest of several. TLS 1.2 and
1.3 are spoken without them. SSL 2 and 3 are refused.

# Ciphers

ciphers is an OpenSSL cipher list, with its operators, keywords and names, or the standard's names. It
says which ciphers up to TLS 1.2 there are. Their order is Go's, which knows what the processor is fast
at; so "+" and @STRENGTH change nothing. Those of TLS 1.3 cannot be chosen, as in OpenSSL. Keywords
mean the ciphers that Go calls secure. Those with an RSA key exchange, and ECDHE with CBC and SHA256, must
be asked for by their full names; RC4 and 3DES are not to be had. Elements that OpenSSL has ciphers for and Go not are
passed over, with a line in the log; a list that leaves none is refused, and so is a word that OpenSSL does
not know, which it would pass over.

HTTP/2 is offered where its ciphers and versions are allowed.

# Several certificates

A client that asks for a name gets the first certificate with that name that it has a use for, else one
with a wildcard for it, else the first of all. So there may be one of RSA and one of ECDSA for the same
name.

# When files change

[Source.Watch] looks every few seconds whether a file is another or has another time or size, at the end of
symbolic links, and [Source.Reload] reads them at once. Certificates, keys and CA change together or not at
all: if anything is wrong with the new ones, the old ones stay in use and one line says why. Connections
and session tickets are not touched. A client that resumes a session is held to the CA file of now.

Which files there are, and all that is not in them, stays as it was at Open.
*/
package tlsfiles
