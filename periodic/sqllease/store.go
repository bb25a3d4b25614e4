// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package sqllease

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
)

// DefaultTable is the table of leases.
const DefaultTable = "mainstay_leases"

// Options are those of a Store. The zero value works.
type Options struct {
	// Table is the table of leases, with a schema in front if need be: letters, digits, "_" and one
	// ".". Empty means DefaultTable.
	Table string
}

// A Store is periodic.Leases in a database. Its methods may be called by many goroutines. It does not
// close the database.
type Store struct {
	db      *sql.DB
	dialect Dialect
	table   string

	sel, ins, take, renew, begin, release, guard string

	mu   sync.Mutex
	seen map[string]sighting // leases of others, by name
}

// A sighting is a lease as it was seen first, by the monotonic clock.
type sighting struct {
	token, version int64
	at             time.Time
}

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// New returns a Store. It does not call the database.
func New(db *sql.DB, d Dialect, o Options) (*Store, error) {
	table := cmp.Or(o.Table, DefaultTable)
	switch {
	case db == nil:
		return nil, errors.New("sqllease: no database")
	case d < SQLite || d > MySQL:
		return nil, fmt.Errorf("sqllease: unknown dialect %v", d)
	case !tableName.MatchString(table):
		return nil, fmt.Errorf("sqllease: table %q must be a plain name", table)
	}
	const change = "UPDATE %[1]s SET version = version + 1"
	query := func(format string) string { return d.bind(fmt.Sprintf(format, table, d.now())) }
	return &Store{
		db: db, dialect: d, table: table,
		sel:     query("SELECT token, version, holder, expires, began, %[2]s FROM %[1]s WHERE name = ?"),
		ins:     query(d.insert("INTO %[1]s (name, holder, token, version, expires, began) VALUES (?, '', 0, 0, 0, 0)")),
		take:    query(change + ", holder = ?, token = ?, expires = %[2]s + ? WHERE name = ? AND token = ? AND version = ?"),
		renew:   query(change + ", expires = %[2]s + ? WHERE name = ? AND token = ? AND holder <> ''"),
		begin:   query(change + ", began = %[2]s, expires = %[2]s + ? WHERE name = ? AND token = ? AND holder <> ''"),
		release: query(change + ", holder = '', expires = 0 WHERE name = ? AND token = ?"),
		guard:   query(change + " WHERE name = ? AND token = ? AND holder <> '' AND expires > %[2]s"),
		seen:    make(map[string]sighting),
	}, nil
}

// Schema returns the statement that creates the table.
func (s *Store) Schema() string { return s.dialect.schema(s.table) }

// Create creates the table if it is not there.
func (s *Store) Create(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, s.Schema()); err != nil {
		return fmt.Errorf("create table %s: %w", s.table, err)
	}
	return nil
}

// A row is what is kept of a lease, and the database's time when it was read.
type row struct {
	token, version, expires, began, now int64
	holder                              string
}

// Acquire takes a lease: see periodic.Leases.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (periodic.Grant, error) {
	r, err := s.read(ctx, name)
	if err != nil {
		return periodic.Grant{}, fmt.Errorf("read lease %q: %w", name, err)
	}
	left := time.Duration(r.expires-r.now) * time.Microsecond
	free := r.holder == "" || r.holder == holder || left <= 0
	if !free && !s.unchanged(name, r, ttl) {
		// More than a whole lease is left only where the clock was set back.
		return periodic.Grant{Holder: r.holder, Wait: min(left, ttl)}, nil
	}
	got, err := s.change(ctx, s.db, s.take, holder, r.token+1, ttl.Microseconds(), name, r.token, r.version)
	if err != nil {
		return periodic.Grant{}, fmt.Errorf("take lease %q: %w", name, err)
	}
	s.forget(name)
	if !got { // somebody else was quicker
		return periodic.Grant{}, nil
	}
	g := periodic.Grant{Token: r.token + 1}
	if r.began > 0 {
		g.Began, g.Ago = true, max(0, time.Duration(r.now-r.began)*time.Microsecond)
	}
	return g, nil
}

// read returns the row of a lease, which it makes if there is none.
func (s *Store) read(ctx context.Context, name string) (row, error) {
	var r row
	scan := func() error {
		return s.db.QueryRowContext(ctx, s.sel, name).Scan(&r.token, &r.version, &r.holder, &r.expires, &r.began, &r.now)
	}
	err := scan()
	if !errors.Is(err, sql.ErrNoRows) {
		return r, err
	}
	if _, err := s.db.ExecContext(ctx, s.ins, name); err != nil {
		return r, err
	}
	return r, scan()
}

// unchanged reports whether a lease was seen as it is for longer than it lasts.
func (s *Store) unchanged(name string, r row, ttl time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.seen[name]
	if first.token != r.token || first.version != r.version {
		s.seen[name] = sighting{r.token, r.version, time.Now()}
		return false
	}
	return time.Since(first.at) > ttl+ttl/10
}

func (s *Store) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, name)
}

// Renew prolongs a lease: see periodic.Leases.
func (s *Store) Renew(ctx context.Context, name string, token int64, ttl time.Duration, begin bool) error {
	query := s.renew
	if begin {
		query = s.begin
	}
	return s.must(ctx, s.db, "renew", query, name, token, ttl.Microseconds(), name, token)
}

// Release ends a lease: see periodic.Leases.
func (s *Store) Release(ctx context.Context, name string, token int64) error {
	if _, err := s.change(ctx, s.db, s.release, name, token); err != nil {
		return fmt.Errorf("release lease %q: %w", name, err)
	}
	return nil
}

// Guard returns an error that wraps periodic.ErrLost unless the run that ctx belongs to still holds its
// lease, and keeps the lease from changing hands until tx ends. Call it last in a transaction: if it
// fails, roll back.
func (s *Store) Guard(ctx context.Context, tx *sql.Tx) error {
	token, _ := periodic.Token(ctx) // the database knows better whether it is still good
	if token == 0 {
		return errors.New("sqllease: the context is not that of a run with a lease")
	}
	return s.GuardToken(ctx, tx, periodic.LeaseName(ctx), token)
}

// GuardToken is Guard for a token that came by other ways than a context, such as in a message.
func (s *Store) GuardToken(ctx context.Context, tx *sql.Tx, name string, token int64) error {
	return s.must(ctx, tx, "guard", s.guard, name, token, name, token)
}

// execer is a database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// must runs a change that holds only with the right token.
func (s *Store) must(ctx context.Context, db execer, what, query, name string, token int64, args ...any) error {
	ok, err := s.change(ctx, db, query, args...)
	if err != nil {
		return fmt.Errorf("%s lease %q: %w", what, name, err)
	}
	if !ok {
		return fmt.Errorf("%s lease %q with token %d: %w", what, name, token, periodic.ErrLost)
	}
	return nil
}

// change runs a statement on one row and reports whether it was there.
func (s *Store) change(ctx context.Context, db execer, query string, args ...any) (bool, error) {
	res, err := db.ExecContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}
