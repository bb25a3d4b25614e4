// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package servicetest helps to test services: it runs one under a real launcher that leaves the
// signals of the test process alone, drains it for any reason, and looks at what it leaves behind.
//
//	func TestCounterDrains(t *testing.T) {
//		r := servicetest.Start(t, &Counter{})
//		if err := r.Drain(service.Replace, time.Second); err != nil {
//			t.Error(err)
//		}
//	}
//
// [Start] works inside a bubble of testing/synctest, where timeouts cost nothing and can be asserted to
// the nanosecond. [Conform] holds a service to the contract of [service.Service], [Draining] makes the
// context of a drain for tests that call Shutdown themselves.
package servicetest
