// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
)

func ExampleTasks() {
	ctx, cancel := context.WithCancel(context.Background())
	tasks := periodic.Tasks{{
		Name: "greet", Every: time.Hour, Immediately: true,
		Run: func(context.Context) error {
			fmt.Println("hello")
			cancel()
			return nil
		},
	}}
	// As a rule service.Launch does this.
	fmt.Println(tasks.Serve(ctx))
	// Output:
	// hello
	// <nil>
}

func ExampleTask_Spaced() {
	// As a configuration file has it: 0 is the default, below 0 is off.
	for _, interval := range []time.Duration{30 * time.Second, 0, -1} {
		task := periodic.Task{Name: "sync"}.Spaced(interval)
		fmt.Println(task.Every, task.Disabled)
	}
	// Output:
	// 30s false
	// 1m0s false
	// 1m0s true
}

func ExampleScheduler_RunDue() {
	s, err := periodic.New(periodic.Options{StopOnError: true}, periodic.Task{
		Name: "poll", Every: 10 * time.Minute, Immediately: true,
		Run: func(context.Context) error { return errors.New("nobody there") },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.RunDue(context.Background())
	fmt.Println(err)
	wait, err := s.RunDue(context.Background())
	fmt.Println(wait, err)
	// Output:
	// periodic: task "poll": nobody there
	// 1m0s <nil>
}

func ExampleTaskError() {
	_, err := periodic.New(periodic.Options{}, periodic.Task{Name: "reap", Every: 60, Run: func(context.Context) error { return nil }})
	var te *periodic.TaskError
	fmt.Println(errors.As(err, &te), te.Task, te.Field, errors.Is(err, periodic.ErrInterval))
	fmt.Println(err)
	// Output:
	// true reap Every true
	// periodic: task "reap": Every 60ns must be from 1ms to 87840h0m0s, or Schedule be set
}
