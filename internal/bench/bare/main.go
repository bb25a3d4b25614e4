// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Command bare is what mainstay is measured against: net/http with nothing around it.
package main

import (
	"flag"
	"io"
	"log"
	"net/http"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	body := flag.String("body", "hello, world\n", "answer to every request")
	flag.Parse()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, *body) })
	log.Fatal(http.ListenAndServe(*listen, nil))
}
