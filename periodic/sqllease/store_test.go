// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package sqllease_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/mainstay-go/mainstay/periodic"
	"github.com/mainstay-go/mainstay/periodic/leasetest"
	"github.com/mainstay-go/mainstay/periodic/sqllease"
)

// A server is a database that several processes may open.
type server struct {
	dialect sqllease.Dialect
	driver  string // of database/sql
	source  string
}

// sqliteFile returns a new file.
func sqliteFile(t *testing.T) server {
	path := filepath.Join(t.TempDir(), "leases.db")
	return server{sqllease.SQLite, "sqlite", "file:" + path + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)"}
}

// open opens the database as another process would.
func (s server) open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open(s.driver, s.source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// store opens a store, with its table.
func (s server) store(t testing.TB) *sqllease.Store {
	t.Helper()
	st, err := sqllease.New(s.open(t), s.dialect, sqllease.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestSQLite(t *testing.T) { testStore(t, sqliteFile(t)) }

// testStore holds a store to all that it promises.
func testStore(t *testing.T, s server) {
	t.Run("kit", func(t *testing.T) {
		leasetest.Run(t, leasetest.Kit{
			New:     func(t *testing.T) periodic.Leases { return s.store(t) },
			TTL:     time.Second,
			Expires: true,
		})
	})
	t.Run("guard", func(t *testing.T) { testGuard(t, s) })
	t.Run("clock set back", func(t *testing.T) { testClockBack(t, s) })
	t.Run("clock set forward", func(t *testing.T) { testClockForward(t, s) })
	t.Run("names", func(t *testing.T) { testNames(t, s) })
}

// testGuard holds that a write with an old token is refused, and one with the current one not.
func testGuard(t *testing.T, s server) {
	db, st := s.open(t), s.store(t)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE guarded (n INTEGER NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	acquire := func(holder string) int64 {
		g, err := st.Acquire(t.Context(), "guarded", holder, time.Minute)
		if err != nil || g.Token == 0 {
			t.Fatalf("Acquire = %+v, %v", g, err)
		}
		return g.Token
	}
	write := func(token int64) error {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO guarded (n) VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		if err := st.GuardToken(t.Context(), tx, "guarded", token); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	}
	first := acquire("a")
	if err := write(first); err != nil {
		t.Errorf("a write with the token = %v", err)
	}
	if err := st.Release(t.Context(), "guarded", first); err != nil {
		t.Fatal(err)
	}
	if err := write(first); !errors.Is(err, periodic.ErrLost) {
		t.Errorf("a write with a released token = %v, want ErrLost", err)
	}
	second := acquire("b")
	if err := write(first); !errors.Is(err, periodic.ErrLost) {
		t.Errorf("a write with an old token = %v, want ErrLost", err)
	}
	if err := write(second); err != nil {
		t.Errorf("a write with the new token = %v", err)
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE "+sqllease.DefaultTable+" SET expires = 1 WHERE name = 'guarded'"); err != nil {
		t.Fatal(err)
	}
	if err := write(second); !errors.Is(err, periodic.ErrLost) {
		t.Errorf("a write with an expired lease = %v, want ErrLost", err)
	}
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM guarded").Scan(&n); err != nil || n != 2 {
		t.Errorf("%d rows, %v, want 2", n, err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := st.Guard(t.Context(), tx); err == nil {
		t.Error("Guard = nil for a context without a lease")
	}
}

// shift moves the database's clock against a lease: what it wrote is then so much earlier or later.
func shift(t *testing.T, db *sql.DB, name, by string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "UPDATE "+sqllease.DefaultTable+
		" SET expires = expires "+by+", began = began "+by+" WHERE name = '"+name+"'"); err != nil {
		t.Fatal(err)
	}
}

const threeHours = "10800000000" // in microseconds

// testClockBack holds that a dead holder's lease ends though the clock went back by hours.
func testClockBack(t *testing.T, s server) {
	db, st := s.open(t), s.store(t)
	const ttl = 500 * time.Millisecond
	g, err := st.Acquire(t.Context(), "back", "a", ttl)
	if err != nil || g.Token == 0 {
		t.Fatalf("Acquire = %+v, %v", g, err)
	}
	if err := st.Renew(t.Context(), "back", g.Token, ttl, true); err != nil {
		t.Fatal(err)
	}
	shift(t, db, "back", "+ "+threeHours)
	begin := time.Now()
	for {
		other, err := st.Acquire(t.Context(), "back", "b", ttl)
		if err != nil {
			t.Fatal(err)
		}
		if other.Token > g.Token {
			if got := time.Since(begin); got < ttl {
				t.Errorf("taken over after %v, want not before %v", got, ttl)
			}
			if !other.Began || other.Ago != 0 {
				t.Errorf("Acquire = %+v, want a run just now: it seems to lie ahead", other)
			}
			return
		}
		if other.Wait > ttl {
			t.Errorf("Acquire = %+v, want at most %v to wait", other, ttl)
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatal("not taken over for 20 s")
		}
		time.Sleep(ttl / 20)
	}
}

// testClockForward holds that the old token is refused once the clock went forward by hours.
func testClockForward(t *testing.T, s server) {
	db, st := s.open(t), s.store(t)
	g, err := st.Acquire(t.Context(), "forward", "a", time.Minute)
	if err != nil || g.Token == 0 {
		t.Fatalf("Acquire = %+v, %v", g, err)
	}
	shift(t, db, "forward", "- "+threeHours)
	other, err := st.Acquire(t.Context(), "forward", "b", time.Minute)
	if err != nil || other.Token <= g.Token {
		t.Errorf("Acquire = %+v, %v, want a token above %d", other, err, g.Token)
	}
	if err := st.Renew(t.Context(), "forward", g.Token, time.Minute, false); !errors.Is(err, periodic.ErrLost) {
		t.Errorf("Renew = %v, want ErrLost", err)
	}
}

// testNames holds that names are taken as they are.
func testNames(t *testing.T, s server) {
	st := s.store(t)
	for _, name := range []string{"Case", "case", "it's", `back\slash`, "nova/ümläut", "?", "$1", strings.Repeat("n", 255)} {
		g, err := st.Acquire(t.Context(), name, "a", time.Minute)
		if err != nil || g.Token != 1 {
			t.Errorf("Acquire(%q) = %+v, %v, want token 1", name, g, err)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	db := sqliteFile(t).open(t)
	for want, make := range map[string]func() (*sqllease.Store, error){
		"no database":     func() (*sqllease.Store, error) { return sqllease.New(nil, sqllease.SQLite, sqllease.Options{}) },
		"unknown dialect": func() (*sqllease.Store, error) { return sqllease.New(db, 0, sqllease.Options{}) },
		`table "a b"`: func() (*sqllease.Store, error) {
			return sqllease.New(db, sqllease.SQLite, sqllease.Options{Table: "a b"})
		},
		`table "a;--"`: func() (*sqllease.Store, error) {
			return sqllease.New(db, sqllease.SQLite, sqllease.Options{Table: "a;--"})
		},
	} {
		if _, err := make(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want an error about %s", err, want)
		}
	}
	st, err := sqllease.New(db, sqllease.SQLite, sqllease.Options{Table: "nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Acquire(t.Context(), "name", "a", time.Second); err == nil || !strings.Contains(err.Error(), `lease "name"`) {
		t.Errorf("Acquire without a table = %v, want an error with the lease's name", err)
	}
}

func TestDialects(t *testing.T) {
	for d, want := range map[sqllease.Dialect]string{
		sqllease.SQLite: "SQLite", sqllease.PostgreSQL: "PostgreSQL", sqllease.MySQL: "MySQL", 9: "Dialect(9)",
	} {
		if got := d.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
}

func ExampleStore_Guard() {
	var db *sql.DB
	var leases *sqllease.Store
	sweep := func(ctx context.Context) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // without effect after Commit
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE expired"); err != nil {
			return err
		}
		if err := leases.Guard(ctx, tx); err != nil {
			return err
		}
		return tx.Commit()
	}
	_ = periodic.Task{Name: "sweep", Every: time.Minute, Scope: periodic.OncePerCluster, Run: sweep}
}
