// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package sqllease

import (
	"fmt"
	"strconv"
	"strings"
)

// A Dialect is what databases differ in.
type Dialect int

const (
	SQLite     Dialect = iota + 1 // 3.24 or later
	PostgreSQL                    // 9.5 or later
	MySQL                         // 5.7 or later, and MariaDB
)

// String returns the name of the database.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// now is the database's clock: microseconds since 1970, whatever its time zone.
func (d Dialect) now() string {
	switch d {
	case SQLite:
		return "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
	case PostgreSQL:
		// Not now(), which stands still in a transaction.
		return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
	}
	// UNIX_TIMESTAMP of a date would be ambiguous when clocks go back. Both are those of the statement.
	return "(UNIX_TIMESTAMP() * 1000000 + MICROSECOND(NOW(6)))"
}

// insert adds a row unless there is one.
func (d Dialect) insert(into string) string {
	if d == MySQL {
		return "INSERT IGNORE " + into
	}
	return "INSERT " + into + " ON CONFLICT (name) DO NOTHING"
}

// schema creates the table. Names compare byte by byte in all of them.
func (d Dialect) schema(table string) string {
	text := "VARCHAR(255) NOT NULL"
	if d == MySQL {
		text = "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"
	}
	return "CREATE TABLE IF NOT EXISTS " + table + " (\n" +
		"\tname " + text + " PRIMARY KEY,\n" +
		"\tholder " + text + ",\n" +
		"\ttoken BIGINT NOT NULL,\n" +
		"\tversion BIGINT NOT NULL,\n" +
		"\texpires BIGINT NOT NULL,\n" +
		"\tbegan BIGINT NOT NULL\n" +
		")"
}

// bind writes the parameters of a query as the database wants them.
func (d Dialect) bind(query string) string {
	if d != PostgreSQL {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}
