// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package web_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/tlsfiles"
	"github.com/mainstay-go/mainstay/web"
)

// optioned returns the server and socket settings that the lines of a configuration file make.
func optioned(t *testing.T, file string) (*web.Server, time.Duration) {
	t.Helper()
	conf := config.New(config.Options{
		Program: "test", DefaultFiles: []string{"/c"}, DefaultDirs: []string{}, NoEnvironment: true,
		ReadFile: func(string) ([]byte, error) { return []byte(file), nil },
	})
	if err := conf.Register("", web.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := conf.Register("ssl", web.SSLOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := conf.Parse(nil); err != nil {
		t.Fatal(err)
	}
	var s web.Server
	o := config.Get[web.Options](conf, "")
	o.Apply(&s)
	config.Get[web.SSLOptions](conf, "ssl").Apply(&s)
	return &s, o.Socket().KeepAliveIdle
}

func TestOptions(t *testing.T) {
	byDefault := &web.Server{
		LogFormat: web.DefaultLogFormat, PoolSize: web.DefaultPoolSize, MaxHeaderLine: web.DefaultMaxHeaderLine,
		ClientSocketTimeout: web.DefaultClientSocketTimeout,
	}
	for name, c := range map[string]struct {
		file string
		want *web.Server
		idle time.Duration
	}{
		"none": {"", byDefault, 10 * time.Minute},
		"zeros are without limit": {
			"[DEFAULT]\nwsgi_default_pool_size = 0\nmax_header_line = 0\nclient_socket_timeout = 0\ntcp_keepidle = 0\n",
			&web.Server{LogFormat: web.DefaultLogFormat, PoolSize: -1, MaxHeaderLine: -1, ClientSocketTimeout: -1}, -1,
		},
		"others": {
			"[DEFAULT]\nwsgi_default_pool_size = 1\nmax_header_line = 2\nclient_socket_timeout = 3\ntcp_keepidle = 4\n" +
				"wsgi_keep_alive = no\nwsgi_server_debug = yes\nhttp2_cleartext = yes\nwsgi_log_format = %(status_code)d\n[ssl]\ncert_file = c\nkey_file = k\nca_file = a\n" +
				"version = tlsv1_2\nciphers = HIGH\nalpn_protocols = http/1.1\nreload_interval = 60\n",
			&web.Server{
				LogFormat: "%(status_code)d", PoolSize: 1, MaxHeaderLine: 2, ClientSocketTimeout: 3 * time.Second,
				DisableKeepAlives: true, Debug: true, UnencryptedHTTP2: true,
				TLS: &tlsfiles.Options{
					CertFile: "c", KeyFile: "k", CAFile: "a", Version: "tlsv1_2", Ciphers: "HIGH", Protocols: []string{"http/1.1"},
					ReloadInterval: time.Minute,
				},
			}, 4 * time.Second,
		},
		"old names": {
			"[DEFAULT]\nssl_cert_file = c\nssl_key_file = k\n",
			&web.Server{
				LogFormat: web.DefaultLogFormat, PoolSize: web.DefaultPoolSize, MaxHeaderLine: web.DefaultMaxHeaderLine,
				ClientSocketTimeout: web.DefaultClientSocketTimeout,
				TLS: &tlsfiles.Options{
					CertFile: "c", KeyFile: "k", Protocols: []string{"h2", "http/1.1"}, ReloadInterval: tlsfiles.DefaultReloadInterval,
				},
			}, 10 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, idle := optioned(t, c.file)
			if !reflect.DeepEqual(s, c.want) || idle != c.idle {
				t.Errorf("%q makes %+v with %v, want %+v with %v", c.file, s, idle, c.want, c.idle)
			}
		})
	}
}

func TestOptionsValidate(t *testing.T) {
	for format, good := range map[string]bool{web.DefaultLogFormat: true, "%(nothing)s": false, "%(client_ip)": false} {
		if err := (web.Options{LogFormat: format}).Validate(); (err == nil) != good {
			t.Errorf("Validate with wsgi_log_format %q = %v", format, err)
		}
	}
}
