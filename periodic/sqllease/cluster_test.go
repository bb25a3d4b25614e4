// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sqllease_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mainstay-go/mainstay/internal/peer"
	"github.com/mainstay-go/mainstay/periodic"
	"github.com/mainstay-go/mainstay/periodic/sqllease"
)

const (
	clusterLease = 2 * time.Second
	// clusterSlack is what a busy machine may add to a wait.
	clusterSlack = time.Second
	patience     = 60 * time.Second
)

// memberMarker in the environment makes the test binary a member of a cluster.
const memberMarker = "MAINSTAY_SQLLEASE_MEMBER"

func TestMain(m *testing.M) {
	peer.Main()
	if os.Getenv(memberMarker) != "" {
		if err := member(); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// member runs one leased task until its standard input ends, and says what happens, a line each:
// "begin TOKEN", "end TOKEN", "cut TOKEN" where the context ended because the lease was lost, "wrote
// TOKEN" and "refused TOKEN" for a guarded write.
func member() error {
	words := strings.SplitN(os.Getenv(memberMarker), " ", 3)
	dialect, err := strconv.Atoi(words[0])
	if err != nil {
		return err
	}
	db, err := sql.Open(words[1], words[2])
	if err != nil {
		return err
	}
	defer db.Close()
	leases, err := sqllease.New(db, sqllease.Dialect(dialect), sqllease.Options{})
	if err != nil {
		return err
	}
	s, err := periodic.New(periodic.Options{Name: "test", Leases: leases, LeaseTime: clusterLease, Logger: slog.New(slog.DiscardHandler)},
		periodic.Task{Name: "task", Every: 200 * time.Millisecond, Scope: periodic.OncePerCluster,
			Run: func(ctx context.Context) error { return work(ctx, db, leases) }})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return s.Serve(ctx)
}

// work is a run: it lasts a while and ends with a guarded write, also if it was cancelled, as a run does
// that does not look.
func work(ctx context.Context, db *sql.DB, leases *sqllease.Store) error {
	token, _ := periodic.Token(ctx)
	fmt.Println("begin", token)
	defer fmt.Println("end", token)
	select {
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), periodic.ErrLost) {
			fmt.Println("cut", token)
		}
	case <-time.After(100 * time.Millisecond):
	}
	wctx := context.WithoutCancel(ctx)
	tx, err := db.BeginTx(wctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := insert(wctx, tx, token); err != nil {
		return err
	}
	err = leases.Guard(wctx, tx)
	if errors.Is(err, periodic.ErrLost) {
		fmt.Println("refused", token)
	}
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	fmt.Println("wrote", token)
	return nil
}

// insert adds to the ledger of guarded writes.
func insert(ctx context.Context, tx *sql.Tx, token int64) error {
	_, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO ledger (token) VALUES (%d)", token))
	return err
}

// A process is a member that runs.
type process struct {
	name string
	*peer.Process
}

// A line is what a member said, and when it was heard.
type line struct {
	from  *process
	at    time.Time
	word  string
	token int64
}

// start starts a member; what it says comes through heard.
func start(t *testing.T, s server, name string, heard chan line) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %s", memberMarker, s.dialect, s.driver, s.source))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	p := &process{name: name}
	if p.Process, err = peer.Start(cmd); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			l := line{from: p, at: time.Now()}
			if _, err := fmt.Sscan(lines.Text(), &l.word, &l.token); err != nil {
				l.word = lines.Text()
			}
			heard <- l
		}
	}()
	t.Cleanup(func() {
		p.Signal(syscall.SIGCONT)
		in.Close()
		p.Stop(patience)
		w.Close()
		<-done
	})
	return p
}

// A watch reads what the members say, and holds that of two runs the later has the higher token, or the
// same holder.
type watch struct {
	t     *testing.T
	heard chan line
	high  int64
	owner map[int64]*process
	all   []string
}

// next waits for a line that want says yes to.
func (w *watch) next(what string, want func(line) bool) line {
	w.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case l := <-w.heard:
			w.all = append(w.all, fmt.Sprintf("%s %s %s %d", l.at.Format("05.000"), l.from.name, l.word, l.token))
			w.check(l)
			if want(l) {
				return l
			}
		case <-timeout:
			w.t.Fatalf("waited %v for %s; heard:\n%s", patience, what, strings.Join(w.all, "\n"))
		}
	}
}

func (w *watch) check(l line) {
	w.t.Helper()
	switch l.word {
	case "begin":
		if l.token < w.high {
			w.t.Errorf("a run began with token %d after one with %d", l.token, w.high)
		}
		if other := w.owner[l.token]; other != nil && other != l.from {
			w.t.Errorf("%s and %s had token %d", other.name, l.from.name, l.token)
		}
		w.high, w.owner[l.token] = l.token, l.from
	case "wrote":
		if l.token < w.high {
			w.t.Errorf("a write with token %d after a run with %d", l.token, w.high)
		}
	case "end", "cut", "refused":
	default:
		w.t.Errorf("%s said %q", l.from.name, l.word)
	}
}

func begins(l line) bool { return l.word == "begin" }

func TestThreeProcessesOnSQLite(t *testing.T) { testCluster(t, sqliteFile(t)) }

// testCluster runs three processes; the one that holds the lease is killed, the next one stopped.
func testCluster(t *testing.T, s server) {
	db := s.open(t)
	s.store(t) // for its table
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE ledger (token BIGINT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	w := &watch{t: t, heard: make(chan line, 1000), owner: map[int64]*process{}}
	for _, name := range []string{"a", "b", "c"} {
		start(t, s, name, w.heard)
	}
	w.next("some runs", func(l line) bool { return l.word == "end" })
	first := w.next("a run", begins)

	// One is killed in the middle of a run.
	killed := time.Now()
	if err := first.from.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := w.next("a run of another", func(l line) bool { return begins(l) && l.from != first.from })
	if got := second.at.Sub(killed); got > clusterLease+clusterSlack {
		t.Errorf("the next run began %v after the kill, want within a lease of %v", got, clusterLease)
	}
	if second.token <= first.token {
		t.Errorf("token %d after %d", second.token, first.token)
	}

	// One is stopped in the middle of a run.
	w.next("a run's end", func(l line) bool { return l.word == "end" && l.from == second.from })
	second = w.stopInRun(db)
	stopped := time.Now()
	third := w.next("a run of the third", func(l line) bool { return begins(l) && l.from != second.from })
	if got := third.at.Sub(stopped); got > clusterLease+clusterSlack {
		t.Errorf("the next run began %v after the stop, want within a lease of %v", got, clusterLease)
	}
	if third.token <= second.token {
		t.Errorf("token %d after %d", third.token, second.token)
	}

	// It goes on: its context ends, and what it writes is refused.
	if err := second.from.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	refused := false
	w.next("the end of the run that was stopped", func(l line) bool {
		if l.from == second.from && l.token == second.token {
			refused = refused || l.word == "refused"
		}
		return l.from == second.from && l.word == "end"
	})
	if !refused {
		t.Errorf("the write with the old token was not refused; heard:\n%s", strings.Join(w.all, "\n"))
	}
	w.next("more runs", func(l line) bool { return l.word == "wrote" && l.token >= third.token })
	var n int
	if err := db.QueryRowContext(t.Context(), fmt.Sprintf("SELECT COUNT(*) FROM ledger WHERE token = %d", third.token)).Scan(&n); err != nil || n == 0 {
		t.Errorf("%d rows of the third, %v", n, err)
	}
}

// stopInRun stops the holder while it runs, at a moment when it does not lock the database.
func (w *watch) stopInRun(db *sql.DB) line {
	w.t.Helper()
	for range 50 {
		l := w.next("a run", begins)
		if err := l.from.Signal(syscall.SIGSTOP); err != nil {
			w.t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), clusterLease/8)
		_, err := db.ExecContext(ctx, "UPDATE "+sqllease.DefaultTable+" SET version = version")
		cancel()
		if err == nil && !w.ended(l) {
			return l
		}
		l.from.Signal(syscall.SIGCONT)
	}
	w.t.Fatal("never stopped in a run")
	return line{}
}

// ended reports whether a run is over by what was heard by now.
func (w *watch) ended(run line) bool {
	for {
		select {
		case l := <-w.heard:
			w.check(l)
			if l.from == run.from && l.token == run.token && (l.word == "end" || l.word == "wrote") {
				return true
			}
		default:
			return false
		}
	}
}
