// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package logging_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/mainstay-go/mainstay/config"
	"github.com/mainstay-go/mainstay/logging"
)

const nova = `
[DEFAULT]
logging_context_format_string = %(levelname)s %(name)s [%(request_id)s] %(message)s
logging_default_format_string = %(levelname)s %(name)s [-] %(message)s
default_log_levels = amqp=WARN
`

func Example() {
	conf := config.New(config.Options{Project: "nova", ReadFile: func(string) ([]byte, error) { return []byte(nova), nil }})
	if err := logging.Register(conf); err != nil {
		fmt.Println(err)
	}
	if err := conf.Parse([]string{"--config-file", "nova.conf"}); err != nil {
		fmt.Println(err)
	}
	log, err := logging.New(config.Get[logging.Options](conf, config.Default), logging.Process{
		Program: "nova-compute",
		Worker:  func() string { return "compute 0" },
		Stderr:  os.Stdout, // for the example
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()

	ctx := logging.WithRequestID(context.Background(), "req-5c0e")
	log.Logger().Info("listening", "addr", ":8774")
	log.Logger().InfoContext(ctx, "booted", slog.Group("server", "vcpus", 2))
	logging.Named(log.Logger(), "amqp").Info("frame") // below WARN
	logging.Named(log.Logger(), "nova.virt").Warn("slow\nvery slow")
	// Output:
	// INFO nova-compute [-] listening addr=:8774 worker="compute 0"
	// INFO nova-compute [req-5c0e] booted server.vcpus=2 worker="compute 0"
	// WARNING nova.virt [-] slow program=nova-compute worker="compute 0"
	// WARNING nova.virt [-] very slow
}

func ExampleOptions_Validate() {
	err := logging.Options{LogDateFormat: "%H:%M:%Q", RateBurst: -1}.Validate()
	fmt.Println(err)
	// Output:
	// log_date_format: "%H:%M:%Q": unknown directive "%Q", want one of strftime(3)
	// rate_limit_burst: -1: want 0 or more
}
