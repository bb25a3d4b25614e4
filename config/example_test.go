// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/mainstay-go/mainstay/config"
)

// Options are what a server can be told.
type Options struct {
	Listen  string        `config:"listen" default:"0.0.0.0" help:"Address to serve on."`
	Port    int           `config:"port" type:"port" default:"8774" help:"Port to serve on."`
	Timeout time.Duration `config:"timeout,mutable" default:"900" help:"Idle time of a connection."`
}

// newExample returns a Config that reads the text of a file.
func newExample(text *string) *config.Config {
	conf := config.New(config.Options{
		Program:      "example",
		DefaultFiles: []string{"/etc/example.conf"},
		DefaultDirs:  []string{},
		ReadFile:     func(string) ([]byte, error) { return []byte(*text), nil },
		Logger:       slog.New(slog.DiscardHandler),
	})
	if err := conf.Register("wsgi", Options{}); err != nil {
		panic(err)
	}
	return conf
}

func ExampleGet() {
	text := "[wsgi]\nport = 80\ntimeout = 2m\n"
	conf := newExample(&text)
	if err := conf.Parse(nil); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%+v\n", config.Get[Options](conf, "wsgi"))
	// Output: {Listen:0.0.0.0 Port:80 Timeout:2m0s}
}

func ExampleErrors() {
	text := "[wsgi]\nport = http\ntimeout = -\n  x\nlisten\n"
	fmt.Println(newExample(&text).Parse(nil))
	// Output:
	// /etc/example.conf:2: [wsgi] port = "http": want a port from 0 to 65535
	// /etc/example.conf:3: [wsgi] timeout = "-\nx": want a duration, as 30s, 2m or in plain seconds
	// /etc/example.conf:5: want "key = value", "key: value", "[section]" or a comment
}

func ExampleConfig_Mutate() {
	text := "[wsgi]\ntimeout = 10\n"
	conf := newExample(&text)
	if err := conf.Parse(nil); err != nil {
		fmt.Println(err)
	}
	text = "[wsgi]\ntimeout = 20\nport = 80\n"
	pending, err := conf.Diff()
	fmt.Println(pending, err)
	changes, err := conf.Mutate()
	fmt.Println(changes, err)
	// Output:
	// [wsgi.port changed from [8774] to [80] (needs a reload) wsgi.timeout changed from [10s] to [20s] (mutable)] <nil>
	// [wsgi.timeout changed from [10s] to [20s] (mutable)] <nil>
}

func ExampleConfig_Unknown() {
	text := "[wsgi]\ntimout = 10\n"
	conf := newExample(&text)
	if err := conf.Parse(nil); err != nil {
		fmt.Println(err)
	}
	for _, u := range conf.Unknown() {
		fmt.Println(u)
	}
	// Output: /etc/example.conf:2: unknown option [wsgi] timout; nearest is [wsgi] timeout
}

func ExampleConfig_WriteSample() {
	conf := config.New(config.Options{})
	err := conf.Declare("", config.Option{
		Name: "workers", Type: config.Int{Min: new(int64(1))}, Help: "Processes that serve.", Mutable: true,
	})
	if err != nil {
		fmt.Println(err)
	}
	if err := conf.WriteSample(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// [DEFAULT]
	//
	// # Processes that serve. (integer value)
	// # Minimum value: 1
	// # Note: This option can be changed without restarting.
	// #workers = <None>
}

func ExampleConfig_Command() {
	text := "[wsgi]\nport = 80\n"
	if done, err := newExample(&text).Command([]string{"config", "show", "--set"}, os.Stdout); done && err != nil {
		fmt.Println(err)
	}
	// Output:
	// [wsgi]
	// # /etc/example.conf:2
	// port = 80
}
