// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

// Package cron makes calendars of cron expressions, for periodic.Task:
//
//	nightly, err := cron.Parse("30 2 * * *", "Europe/Berlin")
//	...
//	tasks := periodic.Tasks{{Name: "purge", Schedule: nightly, Run: purge}}
//
// # Expressions
//
// An expression has five fields: minute, hour, day of month, month, day of week; with six, seconds come
// first. A field is *, ?, a number, a range 1-5, a list 1,3,7-9, with a step behind a slash */15, 0-30/10.
// Months and days of the week have names, jan and MON; Sunday is 0 and 7. @yearly, @annually, @monthly,
// @weekly, @daily, @midnight and @hourly stand for what they say. @every is refused: that is Task.Every.
//
// As in every crontab a date is met by either of the two days if both are restricted: "0 0 13 * 5" is the
// 13th and each Friday. A day that begins with a star does not count as restricted.
//
// The time zone is a name of the IANA database, UTC, or Local; it can also be given in front of the
// expression, as CRON_TZ=Asia/Tokyo or TZ=Asia/Tokyo, and then wins. A program that must run where the
// system has no such database imports time/tzdata.
//
// # When clocks change
//
// The rules are those of cron in Debian and the BSDs, for every change of a zone's offset:
//
//   - An expression with a fixed hour and minute runs once for each time that it names. If clocks go
//     forward over that time, it runs at the moment of the change; if they go back over it, it runs the
//     first time and not again. So "30 2 * * *" is met on every day of the year, once.
//   - An expression whose hour or minute begins with a star runs by the time that there is: each real hour
//     or quarter of an hour, with none lost and none repeated at once.
//
// # The parser
//
// Fields are parsed, and dates found, by github.com/netresearch/go-cron, the maintained successor of
// robfig/cron, which has had no release since 2020 and panics on some input. That package finds its dates
// in UTC here, as if a clock on the wall never changed, and this one applies the rules above: its own treat
// a change of an hour only, and run fixed times twice when clocks go back.
package cron
