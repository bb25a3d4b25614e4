// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package selfsigned_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/mainstay-go/mainstay/internal/selfsigned"
)

func TestWrite(t *testing.T) {
	p, err := selfsigned.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: p.Roots, DNSName: "127.0.0.1"}); err != nil {
		t.Error(err)
	}
	if _, err := selfsigned.Write("/no/such"); err == nil {
		t.Error("Write into a folder that is not there = nil")
	}
}
