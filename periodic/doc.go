// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package periodic runs tasks again and again: at intervals, or by a calendar; in every worker, in one of
a host, or in one of a cluster.

[Tasks] is a service, ready for service.Launch:

	reaper := periodic.Tasks{{Name: "reap", Every: time.Minute, Run: reap}}

[New] makes a [Scheduler] of the same with [Options], such as how many runs there may be at a time, and
tasks can be added to it and removed from it while it runs. [Scheduler.RunDue] is for programs with a
loop of their own. A calendar comes from package periodic/cron:

	nightly := periodic.Task{Name: "purge", Schedule: cron.MustParse("30 2 * * *", "Europe/Berlin"), Run: purge}

# When a task runs

The first run is one Every after Serve or Add, or Delay after it, or at once if the task is Immediately;
and Options.FuzzyDelay later in any case. The interval is measured from start to start. A run that begins late
does not move the ones after it: they stay at whole multiples of Every, and what lies behind is left
out. This is the rule of oslo.service,

	last = now - (now - last) mod Every + jitter        next = last + Every

with a jitter of 0 to 5 % in whole seconds. The jitter adds up, which is what it is for: nodes that
began together drift apart. Set Jitter below 0 where the phase matters more.

One loop with one timer does the waiting. A waiting task costs a few hundred bytes and no goroutine; a
run has one from start to end. Options.Concurrency bounds the runs: with the default of 100 a slow task
delays no other, with 1 they run one after the other.

# What happens when

  - A run lasts beyond the next: Overlap. By default the next is skipped, counted and, once for each
    run that is too long, logged.
  - A task never returns: as above, for ever. State shows since when it runs. Timeout ends its context;
    a task that does not look at that cannot be ended by anybody. It takes one of Concurrency, and a
    Shutdown says in its error which one it was.
  - A task fails or panics: that is logged and counted, and the task goes on. With StopOnError, Serve
    ends.
  - The wall clock is set: intervals and timeouts do not notice. Dates of a Schedule follow within five
    seconds. A step forward makes the dates that it passed due, and CatchUp decides about them. After a
    step back of up to three hours no date is met twice: the task waits for the next one. A larger step
    back was the correction of a clock that was wrong, and all begins anew from there. This is what cron
    does.
  - The machine sleeps: on Linux the monotonic clock stands still, so that intervals go on where they
    were; for a Schedule it is a step forward.
  - The process is stopped and goes on: runs were missed, and CatchUp decides: one run for all of them at
    once, one for each, or none.
  - Daylight saving time: see package periodic/cron.

# Once per host, once per cluster

Scope says that a task runs in one process only, though many have it. That process holds a lease, named
Options.Name/Task.Name, from the moment it gets it until it drains, and not just for a run: so the task
keeps its interval, wherever its processes were started. Where a lease goes on, the interval does too:
the time of the last start is kept with the lease, so a new holder neither repeats a run nor waits
longer than it must. What is Immediately runs so only if it never ran.

OncePerHost takes a lock on a file in Options.StatePath. The kernel releases it when the process ends,
by SIGKILL too; a process that is only stopped keeps it, so that whoever supervises workers has to end
it. It is not supported on Windows.

OncePerCluster needs Options.Leases, such as that of package periodic/sqllease in a database, or
[MemoryLeases] in tests. A lease lasts LeaseTime and is renewed three times as often. Each run begins
with the store's consent. If the lease cannot be renewed, the context of the run is cancelled a
twentieth of LeaseTime before anybody else can have the lease, by the monotonic clock; a process that was
stopped meanwhile is cancelled as soon as it goes on. Another process takes over when the lease is over;
a drained one releases it at once, after its run has ended.

A process that was stopped may still write between waking up and being cancelled. So a run has a fencing
token, [Token], that rises with every holder; the data must refuse a lower one than it has seen. Package
periodic/sqllease has a helper for data in the same database.

# What it shows

[Scheduler.States] has, for each task, the last start, its duration and result, when it runs next, and
counts of runs, failures and of those skipped, missed and late. It is what Inspect returns under "tasks",
and what "mainstay tasks" prints.
*/
package periodic
