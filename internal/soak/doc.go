// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Command soak runs examples/hello under load for long, and counts what clients lose: make soak.
//
//	go run ./internal/soak                          all parts, about half an hour as root
//	go run ./internal/soak -share 20                a twentieth of it
//	go run ./internal/soak -parts stop -users nobody
//
// The parts are reloads by HUP, of plain HTTP/1.1, HTTP/2, TLS and unix sockets, resizes between 1 and 8
// workers, stops, and SIGKILLs of workers; each as root, where soak is root, and as an unprivileged
// user. Package prove is the client and the judge: its own manual says what is counted. A part is good if
// no request was lost, truncated, doubled or answered wrongly, and no reload, resize or stop failed;
// of killed workers, if only what was in their hands was lost. Reloads of plain HTTP/1.1, over unix sockets
// too, may close no connection while nothing is under way; elsewhere closes are counted beside.
package main
