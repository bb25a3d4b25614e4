// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/mainstay-go/mainstay/tlsfiles"
)

// demo makes a folder with a certificate and its key.
func demo() (dir string) {
	dir, err := os.MkdirTemp("", "tlsfiles")
	if err != nil {
		panic(err)
	}
	c := issue(request{subject: "api", names: []string{"api.example"}, after: time.Now().Add(90 * 24 * time.Hour)})
	for name, data := range map[string][]byte{"cert.pem": c.cert, "key.pem": c.key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			panic(err)
		}
	}
	return dir
}

func ExampleOptions_Check() {
	o := tlsfiles.Options{CertFile: "/nowhere/cert.pem", KeyFile: "/nowhere/key.pem", Version: "sslv3"}
	_, err := o.Check()
	fmt.Println(err)
	// Output:
	// Invalid SSL version : sslv3, which is broken and not in Go: want sslv23, tlsv1, tlsv1_1, tlsv1_2 or tlsv1_3; Unable to find cert_file : /nowhere/cert.pem; Unable to find key_file : /nowhere/key.pem
}

func ExampleSource() {
	dir := demo()
	defer os.RemoveAll(dir)
	files, err := tlsfiles.Open(tlsfiles.Options{
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), Ciphers: "ECDHE+AESGCM",
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(files.Config().NextProtos)
	for _, c := range files.Certificates() {
		fmt.Println(filepath.Base(c.File), c.Use, c.Subject, c.Names)
	}
	// Output:
	// [h2 http/1.1]
	// cert.pem server CN=api [api.example 127.0.0.1]
}
