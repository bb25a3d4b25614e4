// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package mainstay_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/daemon"
	"github.com/mainstay-go/mainstay/logging"
	"github.com/mainstay-go/mainstay/periodic"
	"github.com/mainstay-go/mainstay/web"
)

var update = flag.Bool("update", false, "write docs/options.md")

const optionsIntro = `# Options

Written by ` + "`make docs`" + ` from the declarations. Options stand in configuration files, one a line below the
name of their group in brackets, in the environment as ` + "`OS_<GROUP>__<OPTION>`" + `, and where it says so on the
command line. ` + "`PROGRAM config sample`" + ` writes all options of a program, with its own defaults, as a file. Durations
are written as 30s, 2m or in plain seconds.

`

// A chapter is a part of the reference: what a program registers for it.
type chapter struct {
	title   string
	intro   string
	group   string
	options any
}

var chapters = []chapter{
	{"Every program: oslo.service's options", "", "", daemon.ServiceOptions{}},
	{"Every program: the runtime", "", "", daemon.RuntimeOptions{}},
	{"Every program: the log", "", "", logging.Options{}},
	{"Programs with one address", "`hello`, `lines` and `mainstay up`, with the defaults 127.0.0.1:8080 and 1, 127.0.0.1:8010 and 1, 127.0.0.1:8774 and 2.", "", daemon.ServerOptions{}},
	{"HTTP servers", "`hello` and `mainstay up`.", "", web.Options{}},
	{"TLS", "`hello`.", "ssl", web.SSLOptions{}},
	{"For programs with periodic tasks", "No program here registers it yet.", "", periodic.Config{}},
	{"For programs with a paste file", "No program here registers it yet.", "", daemon.PasteOptions{}},
}

// reference writes the page.
func reference() ([]byte, error) {
	var page bytes.Buffer
	page.WriteString(optionsIntro)
	for _, c := range chapters {
		conf := config.New(config.Options{Program: "program"})
		if err := conf.Register(c.group, c.options); err != nil {
			return nil, err
		}
		fmt.Fprintf(&page, "# %s\n\n", c.title)
		if c.intro != "" {
			fmt.Fprintf(&page, "%s\n\n", c.intro)
		}
		if err := conf.WriteReference(&page); err != nil {
			return nil, err
		}
		page.WriteByte('\n')
	}
	return append(bytes.TrimRight(page.Bytes(), "\n"), '\n'), nil
}

// TestOptionReference holds docs/options.md to the declarations; make docs writes it.
func TestOptionReference(t *testing.T) {
	got, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("docs/options.md", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/options.md is not what the declarations say: make docs writes it")
	}
}
