// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package cron_test

import (
	"fmt"
	"time"

	"github.com/mainstay-go/mainstay/periodic/cron"
)

func ExampleParse() {
	s, err := cron.Parse("30 2 * * *", "Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	// On the 29th clocks go forward over half past two.
	at := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	for range 3 {
		at = s.Next(at)
		fmt.Println(at)
	}
	_, err = cron.Parse("0 0 30 2 *", "Europe/Berlin")
	fmt.Println(err)
	// Output:
	// 2026-03-28 02:30:00 +0100 CET
	// 2026-03-29 03:00:00 +0200 CEST
	// 2026-03-30 02:30:00 +0200 CEST
	// cron expression "0 0 30 2 *": there is no such date
}
