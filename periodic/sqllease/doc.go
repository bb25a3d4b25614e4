// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

/*
Package sqllease keeps the leases of periodic tasks in a database: SQLite, PostgreSQL, MySQL or MariaDB.
The program opens the database with the driver of its choice; this package imports none.

	db, err := sql.Open("pgx", url)
	...
	leases, err := sqllease.New(db, sqllease.PostgreSQL, sqllease.Options{})
	...
	err = leases.Create(ctx) // or Schema, for those who migrate by themselves
	...
	tasks, err := periodic.New(periodic.Options{Name: "nova", Leases: leases}, periodic.Task{
		Name: "sweep", Every: time.Minute, Scope: periodic.OncePerCluster, Run: sweep,
	})

# What a lease is

A row, which is never deleted: its token rises with every holder. All times in it are by the database's
clock, so those of the hosts may differ. A lease is taken by an update that holds only if nobody changed
the row since it was read, in one statement; no transaction stays open between two calls.

If the database's clock is set forward, leases end early: the old holder finds out with its next renewal,
a third of the lease time later at most, and its token is refused from the first moment. If the clock is
set back, leases would last as much longer; so a lease that was seen unchanged for its time and a tenth,
by the monotonic clock of the process that wants it, counts as over too.

# Fencing

A process that was stopped in the middle of a run may write after another has taken over, before it knows.
[Store.Guard] refuses that, for data in the same database: call it as the last statement of a transaction.

	tx, err := db.BeginTx(ctx, nil)
	...
	_, err = tx.ExecContext(ctx, "UPDATE hosts SET ...")
	...
	if err := leases.Guard(ctx, tx); err != nil {
		tx.Rollback()
		return err // periodic.ErrLost: another holds the lease
	}
	return tx.Commit()

From Guard to Commit the lease cannot change hands, nor be renewed: commit at once. Data elsewhere needs
the token of periodic.Token with each write, and has to refuse one lower than the highest it has seen.

# SQLite

Several processes that write to one file need a busy timeout, such as "_pragma=busy_timeout(5000)" in the
name that modernc.org/sqlite opens, and a file that is not on a network. A process that is stopped in the
middle of a write keeps the file locked for all others until it goes on or ends; that is SQLite's.
*/
package sqllease
