// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command timers measures timed calls made by libraries of other people: see internal/bench/timers. It
// is a module of its own, so that these are no requirements of mainstay.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/robfig/cron/v3"

	"github.com/mainstay-go/mainstay/internal/bench/timers"
)

func main() {
	if err := timers.Serve(os.Stdin, os.Stdout, []timers.Kind{robfigCron, goCron}); err != nil {
		fmt.Fprintln(os.Stderr, "timers:", err)
		os.Exit(1)
	}
}

// robfigCron has an entry for each call. It wakes at full seconds only.
var robfigCron = timers.Kind{Name: "robfig-cron", Aligned: true, Start: func(p timers.Plan, tick func(i int)) (func() error, error) {
	c := cron.New()
	for i := range p.Calls {
		c.Schedule(cron.Every(p.Interval), cron.FuncJob(func() { tick(i) }))
	}
	c.Start()
	return func() error {
		<-c.Stop().Done()
		return nil
	}, nil
}}

// goCron has a job for each call, its first start being that of its phase.
var goCron = timers.Kind{Name: "gocron", Start: func(p timers.Plan, tick func(i int)) (func() error, error) {
	s, err := gocron.NewScheduler(gocron.WithStopTimeout(time.Minute))
	if err != nil {
		return nil, err
	}
	s.Start()
	for i := range p.Calls {
		_, err := s.NewJob(gocron.DurationJob(p.Interval), gocron.NewTask(func() { tick(i) }),
			gocron.WithStartAt(gocron.WithStartDateTime(time.Now().Add(p.Delay(i)+p.Interval))))
		if err != nil {
			return nil, errors.Join(err, s.Shutdown())
		}
	}
	return s.Shutdown, nil
}}
