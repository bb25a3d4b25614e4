// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package selfsigned makes certificates for tests and measurements of servers on 127.0.0.1.
package selfsigned

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A Pair is a certificate for 127.0.0.1 that is valid for a day, and its key, as files.
type Pair struct {
	CertFile, KeyFile string
	Roots             *x509.CertPool // who has it trusts the certificate
}

// Write makes a pair and writes it into dir, as cert.pem and key.pem. Anybody may read the files, so that
// a server of another user can.
func Write(dir string) (Pair, error) {
	cert, key, err := create()
	if err != nil {
		return Pair{}, err
	}
	p := Pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	p.Roots.AppendCertsFromPEM(certPEM)
	return p, errors.Join(
		os.WriteFile(p.CertFile, certPEM, 0o644),
		os.WriteFile(p.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o644),
	)
}

// create makes a certificate, which signs itself, and its key, both in DER.
func create() (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true, // some clients trust no other as a root
		BasicConstraintsValid: true,
	}
	if cert, err = x509.CreateCertificate(rand.Reader, template, template, private.Public(), private); err != nil {
		return nil, nil, err
	}
	key, err = x509.MarshalPKCS8PrivateKey(private)
	return cert, key, err
}
