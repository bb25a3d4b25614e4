// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/tlsfiles"
)

// subject returns whose certificate a new client gets.
func subject(t *testing.T, server *tls.Config) string {
	t.Helper()
	got, err := shake(server, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Error(err)
		return ""
	}
	return got.PeerCertificates[0].Subject.CommonName
}

// watch runs Watch until the test ends, in a bubble with the same clock.
func watch(t *testing.T, s *tlsfiles.Source) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch = %v", err)
		}
	})
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWatchTakesWhatChanges(t *testing.T) {
	first, second := issue(request{subject: "first", key: ecKey()}), issue(request{subject: "second", key: ecKey()})
	third := issue(request{subject: "third"})
	for name, change := range map[string]func(t *testing.T, o tlsfiles.Options){
		"written over": func(t *testing.T, o tlsfiles.Options) { put(t, o.CertFile, second.cert) },
		"renamed over, with the time and size of before": func(t *testing.T, o tlsfiles.Options) {
			old, err := os.Stat(o.CertFile)
			if err != nil {
				t.Fatal(err)
			}
			other := write(t, t.TempDir(), "new", append(second.cert, strings.Repeat("\n", max(0, len(first.cert)-len(second.cert)))...))
			err = errors.Join(os.Chtimes(other, time.Time{}, old.ModTime()), os.Rename(other, o.CertFile))
			if err != nil {
				t.Fatal(err)
			}
		},
		"certificate and key": func(t *testing.T, o tlsfiles.Options) {
			put(t, o.CertFile, third.cert)
			put(t, o.KeyFile, third.key)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := files(t, first)
				var log journal
				o.Logger = log.logger()
				s := open(t, o)
				server := s.Config()
				watch(t, s)
				time.Sleep(time.Minute)
				if got := subject(t, server); got != "first" {
					t.Errorf("before the change: %s", got)
				}
				change(t, o)
				time.Sleep(5*time.Second + 1)
				if got := subject(t, server); got == "first" || got == "" {
					t.Errorf("5 seconds after the change: %s", got)
				}
				if n := log.count("certificate reloaded"); n != 1 {
					t.Errorf("reloaded %d times, by the log", n)
				}
			})
		})
	}
}

// As Kubernetes does it: all files are behind one link to a folder, and the link is swapped.
func TestWatchFollowsLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for _, name := range []string{"first", "second"} {
			c := issue(request{subject: name})
			sub := filepath.Join(dir, name)
			if err := os.Mkdir(sub, 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, sub, "tls.crt", c.cert)
			write(t, sub, "tls.key", c.key)
		}
		point := func(name string) {
			t.Helper()
			next := filepath.Join(dir, "..next")
			if err := errors.Join(os.Symlink(name, next), os.Rename(next, filepath.Join(dir, "..data"))); err != nil {
				t.Fatal(err)
			}
		}
		point("first")
		for _, name := range []string{"tls.crt", "tls.key"} {
			if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, tlsfiles.Options{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"), Logger: slog.New(slog.DiscardHandler)})
		server := s.Config()
		watch(t, s)
		for _, name := range []string{"second", "first", "second"} {
			point(name)
			time.Sleep(5*time.Second + 1)
			if got := subject(t, server); got != name {
				t.Errorf("served %s after the link was set to %s", got, name)
			}
		}
	})
}

// A broken pair keeps the old one in use and is complained of once, however long it stays; the next one
// again.
func TestWatchKeepsTheOldOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := issue(request{subject: "first"}), issue(request{subject: "second"})
		o := files(t, first)
		o.CAFile = write(t, t.TempDir(), "ca.pem", first.cert)
		var log journal
		o.Logger = log.logger()
		s := open(t, o)
		server := s.Config()
		own := must(tls.X509KeyPair(first.cert, first.key))
		serves := func(want string) {
			t.Helper()
			got, err := shake(server, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}})
			if err != nil || got.PeerCertificates[0].Subject.CommonName != want {
				t.Errorf("client with the old CA's certificate: %v, %v, want %s", got.PeerCertificates, err, want)
			}
		}
		watch(t, s)
		complaints := func(want int) {
			t.Helper()
			if n := log.count("new certificates are refused"); n != want {
				t.Errorf("%d complaints, want %d", n, want)
			}
		}
		time.Sleep(time.Second / 2)

		put(t, o.CertFile, second.cert) // and not the key, and meanwhile another CA
		put(t, o.CAFile, second.cert)
		time.Sleep(time.Hour)
		complaints(1)
		serves("first")
		if shown := s.Certificates(); len(shown) != 2 || !strings.Contains(shown[0].Problem, "key_file "+o.KeyFile+": does not belong") {
			t.Errorf("Certificates = %+v, want the problem in them", shown)
		}
		put(t, o.CertFile, nil)
		time.Sleep(time.Hour)
		complaints(2)
		if err := os.Remove(o.CertFile); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		complaints(3)
		if n := log.count("Unable to find cert_file : " + o.CertFile); n != 1 {
			t.Errorf("the missing file is named %d times", n)
		}
		serves("first")
		if err := s.Reload(t.Context()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Reload = %v", err)
		}
		complaints(3)

		put(t, o.CertFile, first.cert) // back to what it was
		put(t, o.CAFile, first.cert)
		time.Sleep(6 * time.Second)
		if got := s.Certificates()[0].Problem; got != "" {
			t.Errorf("Problem = %q after the old files are back", got)
		}
		complaints(3)
	})
}

func TestWatchWaitsForTheOtherHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, second := files(t, issue(request{subject: "first"})), issue(request{subject: "second"})
		var log journal
		o.Logger = log.logger()
		s := open(t, o)
		watch(t, s)
		time.Sleep(4500 * time.Millisecond)
		put(t, o.CertFile, second.cert)
		time.Sleep(time.Second) // a look, after 5 s, sees half of it
		if got := subject(t, s.Config()); got != "first" {
			t.Errorf("served %s while half is written", got)
		}
		put(t, o.KeyFile, second.key)
		time.Sleep(501 * time.Millisecond)
		if got := subject(t, s.Config()); got != "second" {
			t.Errorf("served %s when all is written", got)
		}
		if n := log.count("level=ERROR"); n != 0 {
			t.Errorf("%d complaints of what was written a moment later", n)
		}
	})
}

// A worker that starts while the files are broken begins with what its launcher read; if they are good
// but others, it takes those.
func TestReadFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := issue(request{subject: "first"}), issue(request{subject: "second"})
		o := files(t, first)
		snapshot := map[string][]byte{o.CertFile: first.cert, o.KeyFile: first.key}
		o.ReadFile = func(path string) ([]byte, error) { return snapshot[path], nil }
		var log journal
		o.Logger = log.logger()
		put(t, o.CertFile, second.cert)
		s := open(t, o)
		server := s.Config()
		watch(t, s)
		time.Sleep(time.Minute)
		if got := subject(t, server); got != "first" {
			t.Errorf("served %s", got)
		}
		if n := log.count("new certificates are refused"); n != 1 {
			t.Errorf("%d complaints", n)
		}
		put(t, o.KeyFile, second.key)
		late := open(t, o)
		watch(t, late)
		synctest.Wait()
		if got := subject(t, late.Config()); got != "second" {
			t.Errorf("served %s where the disk is ahead of the snapshot", got)
		}
	})
}

func TestSessionTickets(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			first, second := issue(request{subject: "first"}), issue(request{subject: "second"})
			o := files(t, first)
			s := open(t, o)
			server := s.Config()
			client := &tls.Config{InsecureSkipVerify: true, ServerName: "x", MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			if _, err := shake(server, client); err != nil {
				t.Fatal(err)
			}
			put(t, o.CertFile, second.cert)
			put(t, o.KeyFile, second.key)
			if err := s.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := shake(server, client); err != nil || !got.DidResume {
				t.Errorf("after a reload: resumed %v, %v", got.DidResume, err)
			}
			if got := subject(t, server); got != "second" {
				t.Errorf("a new client got %s", got)
			}
		})
	}
}

// A session is not resumed for a client whose certificate the new CA file does not vouch for.
func TestSessionTicketsAndCA(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			before, after := issue(request{subject: "before", ca: true}), issue(request{subject: "after", ca: true})
			own := issue(request{by: before})
			o := files(t, issue(request{}))
			o.CAFile = write(t, t.TempDir(), "ca.pem", before.cert)
			s := open(t, o)
			server := s.Config()
			client := &tls.Config{
				InsecureSkipVerify: true, ServerName: "x", MinVersion: version, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1),
				Certificates: []tls.Certificate{must(tls.X509KeyPair(own.cert, own.key))},
			}
			for range 2 {
				if _, err := shake(server, client); err != nil {
					t.Fatal(err)
				}
			}
			put(t, o.CAFile, after.cert)
			if err := s.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := shake(server, client); err == nil {
				t.Errorf("served after its CA has gone, resumed %v", got.DidResume)
			}
		})
	}
}

// Each certificate is warned of 30, 7 and 1 days before its end and at its end, once.
func TestExpiryIsWarnedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		o := files(t, issue(request{after: time.Now().Add(40 * day)}))
		o.ReloadInterval = time.Hour
		var log journal
		o.Logger = log.logger()
		s := open(t, o)
		watch(t, s)
		begun := time.Now()
		for _, c := range []struct {
			at            time.Duration
			soon, expired int
		}{{9 * day, 0, 0}, {10*day + 2*time.Hour, 1, 0}, {32 * day, 1, 0}, {33*day + 2*time.Hour, 2, 0}, {39*day + 2*time.Hour, 3, 0}, {40*day + 2*time.Hour, 3, 1}, {50 * day, 3, 1}} {
			time.Sleep(time.Until(begun.Add(c.at)))
			if soon, expired := log.count("certificate expires soon"), log.count("certificate has expired"); soon != c.soon || expired != c.expired {
				t.Errorf("after %v: %d and %d warnings, want %d and %d", c.at, soon, expired, c.soon, c.expired)
			}
		}
	})
}

func TestCertificatesShown(t *testing.T) {
	root := issue(request{subject: "root", ca: true})
	between := issue(request{subject: "between", ca: true, by: root})
	leaf := issue(request{subject: "leaf", names: []string{"api.example"}, by: between})
	o := files(t, leaf)
	put(t, o.CertFile, append(leaf.cert, between.cert...))
	o.CAFile = write(t, t.TempDir(), "ca.pem", root.cert)
	s := open(t, o)
	shown, ok := s.Inspect()["certificates"].([]tlsfiles.Certificate)
	if !ok || len(shown) != 3 {
		t.Fatalf("Inspect = %+v", s.Inspect())
	}
	for i, want := range []struct{ file, use, subject string }{
		{o.CertFile, tlsfiles.UseServer, "CN=leaf"}, {o.CertFile, tlsfiles.UseChain, "CN=between"}, {o.CAFile, tlsfiles.UseClients, "CN=root"},
	} {
		if c := shown[i]; c.File != want.file || c.Use != want.use || c.Subject != want.subject || c.SHA256 == "" || c.Serial == "" {
			t.Errorf("certificate %d is %+v, want %+v", i, c, want)
		}
	}
	if got := shown[0]; strings.Join(got.Names, " ") != "api.example 127.0.0.1" || !got.NotAfter.Equal(leaf.leaf.NotAfter) || got.Issuer != "CN=between" {
		t.Errorf("the first is %+v", got)
	}
}
