// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"fmt"

	"github.com/mainstay-go/mainstay/internal/core"
)

// A shell gives events to Step and performs the actions; what becomes of them are further events.
// It keeps one timer, for State.Wake.
func ExampleStep() {
	plan := core.Plan{Sets: []core.SetSpec{{
		Name: "api", Workers: 1, Restart: core.RestartAlways, Roll: core.StartFirst, StartTimeout: 60e9, ShutdownTimeout: 60e9,
	}}}
	var state core.State
	for _, e := range []core.Event{
		{At: 1e9, Kind: core.EventBegin, Plan: &plan},
		{At: 2e9, Kind: core.EventSpawned, Incarnation: 1, Pid: 4711},
		{At: 3e9, Kind: core.EventHello, Incarnation: 1},
		{At: 4e9, Kind: core.EventReady, Incarnation: 1},
	} {
		var actions []core.Action
		state, actions = core.Step(state, e)
		for _, a := range actions {
			if a.Kind == core.ActionSpawn || a.Kind == core.ActionNotify {
				fmt.Printf("%s %s\n", a.Kind, a.Set+a.Text)
			}
		}
		fmt.Println(state.Phase, "- wake at", state.Wake())
	}
	// Output:
	// spawn api
	// starting - wake at 0
	// starting - wake at 7000000000
	// starting - wake at 63000000000
	// notify ready
	// running - wake at 0
}
