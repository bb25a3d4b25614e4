// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package periodic_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mainstay-go/mainstay/periodic"
	"github.com/mainstay-go/mainstay/periodic/leasetest"
)

const leaseTime = 30 * time.Second

func TestMemoryLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var leases periodic.MemoryLeases
		leasetest.Run(t, leasetest.Kit{
			New:     func(*testing.T) periodic.Leases { return &leases },
			TTL:     time.Second,
			Expires: true,
		})
	})
}

// A cluster is some schedulers with the same tasks and leases.
type cluster struct {
	t      *testing.T
	leases *flaky
	j      *journal
	nodes  []*node
	mu     sync.Mutex
	tokens []int64 // of the runs, as they began
	inside int     // runs with a valid token, now
}

type node struct {
	s      *periodic.Scheduler
	clock  *periodic.Clock
	cancel context.CancelFunc
	done   chan error
}

// flaky is a store that can be out of reach.
type flaky struct {
	periodic.MemoryLeases
	mu   sync.Mutex
	away error
	hang bool
}

func (f *flaky) set(away error, hang bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away, f.hang = away, hang
}

func (f *flaky) reach(ctx context.Context) error {
	f.mu.Lock()
	away, hang := f.away, f.hang
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return away
}

func (f *flaky) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (periodic.Grant, error) {
	if err := f.reach(ctx); err != nil {
		return periodic.Grant{}, err
	}
	return f.MemoryLeases.Acquire(ctx, name, holder, ttl)
}

func (f *flaky) Renew(ctx context.Context, name string, token int64, ttl time.Duration, begin bool) error {
	if err := f.reach(ctx); err != nil {
		return err
	}
	return f.MemoryLeases.Renew(ctx, name, token, ttl, begin)
}

func newCluster(t *testing.T, n int, every, takes time.Duration, change func(*periodic.Task)) *cluster {
	c := &cluster{t: t, leases: new(flaky), j: newJournal()}
	for i := range n {
		task := periodic.Task{Name: "sweep", Every: every, Scope: periodic.OncePerCluster, Jitter: -1, Run: func(ctx context.Context) error {
			token, ok := periodic.Token(ctx)
			if !ok || periodic.LeaseName(ctx) != "test/sweep" {
				t.Errorf("a run began with token %d, %v, of lease %q", token, ok, periodic.LeaseName(ctx))
			}
			c.j.note("sweep")
			c.j.note(fmt.Sprint("node ", i))
			c.enter(token)
			defer c.leave()
			return sleep(ctx, takes)
		}}
		if change != nil {
			change(&task)
		}
		s := scheduler(t, periodic.Options{Name: "test", Leases: c.leases, LeaseTime: leaseTime}, task)
		nd := &node{s: s, clock: periodic.SetClock(s), done: make(chan error, 1)}
		c.nodes = append(c.nodes, nd)
		nd.serve()
	}
	return c
}

func (c *cluster) enter(token int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = append(c.tokens, token)
	if c.inside++; c.inside > 1 {
		c.t.Errorf("%d runs at the same time", c.inside)
	}
}

// last returns the token of the last run.
func (c *cluster) last() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens[len(c.tokens)-1]
}

func (c *cluster) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inside--
}

func (n *node) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go func() { n.done <- n.s.Serve(ctx) }()
	synctest.Wait()
}

func (c *cluster) stop() {
	for _, n := range c.nodes {
		n.cancel()
		if err := <-n.done; err != nil {
			c.t.Errorf("Serve = %v", err)
		}
		n.done <- nil
	}
	if !slices.IsSorted(c.tokens) {
		c.t.Errorf("tokens %d do not rise", c.tokens)
	}
}

func TestOneInTheClusterRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, 10*time.Second, time.Second, nil)
		time.Sleep(125 * time.Second)
		var want []time.Duration
		for n := range 12 {
			want = append(want, time.Duration(n+1)*10*time.Second)
		}
		if got := c.j.of("sweep"); !slices.Equal(got, want) {
			t.Errorf("runs at %v", got)
		}
		if got := c.j.of("node 0"); len(got) != 12 {
			t.Errorf("the first ran %d times, want 12", len(got))
		}
		if st := state(t, c.nodes[0].s, "sweep"); st.State != "waiting" || st.Token != 1 || st.Lease != "test/sweep" || st.Scope != "cluster" {
			t.Errorf("State of the holder = %+v", st)
		}
		if st := state(t, c.nodes[1].s, "sweep"); st.State != "standby" || st.Token != 0 || st.Holder == "" || !st.Next.IsZero() {
			t.Errorf("State of another = %+v", st)
		}
		c.stop()
	})
}

func TestADrainHandsTheLeaseOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, 20*time.Second, 5*time.Second, nil)
		time.Sleep(42 * time.Second)
		if err := c.nodes[0].s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if got := time.Since(c.j.epoch); got != 45*time.Second {
			t.Errorf("Shutdown ended at %v, want 45s, with the run", got)
		}
		// The interval goes on where it was, in another process.
		time.Sleep(40 * time.Second)
		if got := c.j.of("sweep"); !slices.Equal(got, seconds(20, 40, 60, 80)) {
			t.Errorf("runs at %v", got)
		}
		if got := c.j.of("node 1"); !slices.Equal(got, seconds(60, 80)) {
			t.Errorf("runs of the other at %v", got)
		}
		c.stop()
	})
}

func TestTheLeaseIsKeptThroughALongRunAndADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, 10*time.Second, 5*leaseTime, nil)
		time.Sleep(11 * time.Second)
		if err := c.nodes[0].s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if got := time.Since(c.j.epoch); got != 160*time.Second {
			t.Errorf("Shutdown ended at %v, want 2m40s, with the run", got)
		}
		time.Sleep(leaseTime)
		// A run was missed meanwhile; it follows as soon as the other has the lease.
		if got := c.j.of("node 1"); len(got) != 1 || got[0] > 160*time.Second+leaseTime/3 {
			t.Errorf("runs of the other at %v, want one within a third of the lease time", got)
		}
		c.stop()
	})
}

func TestAKilledHolderIsReplacedWithinOneLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, 5*time.Second, time.Second, nil)
		time.Sleep(33 * time.Second)
		// Nothing of it reaches the store any more, nor does it release anything.
		c.leases.set(errors.New("killed"), false)
		c.nodes[0].cancel()
		<-c.nodes[0].done
		c.nodes[0].done <- nil
		c.leases.set(nil, false)
		time.Sleep(leaseTime + time.Second)
		runs := c.j.of("sweep")
		next := runs[slices.IndexFunc(runs, func(d time.Duration) bool { return d > 33*time.Second })]
		if next > 33*time.Second+leaseTime {
			t.Errorf("next run at %v, want within %v of 33s", next, leaseTime)
		}
		if got := c.last(); got != 2 {
			t.Errorf("token %d, want 2", got)
		}
		c.stop()
	})
}

func TestAHolderWithoutItsStoreGivesUpInTime(t *testing.T) {
	for name, hang := range map[string]bool{"refuses": false, "hangs": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended time.Duration
				var cause error
				c := newCluster(t, 1, 10*time.Second, 0, nil)
				c.nodes[0].s.Remove("sweep")
				if err := c.nodes[0].s.Add(periodic.Task{Name: "long", Every: 10 * time.Second, Scope: periodic.OncePerCluster,
					Run: func(ctx context.Context) error {
						<-ctx.Done()
						ended, cause = time.Since(c.j.epoch), context.Cause(ctx)
						if _, ok := periodic.Token(ctx); ok && errors.Is(cause, periodic.ErrLost) {
							t.Error("Token is valid after the end of the lease")
						}
						return cause
					}}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(30*time.Second + 1) // renewed at 30 s
				c.leases.set(errors.New("no connection"), hang)
				time.Sleep(leaseTime)
				synctest.Wait()
				want := 30*time.Second + leaseTime - leaseTime/20
				if ended != want || !errors.Is(cause, periodic.ErrLost) {
					t.Errorf("the run ended at %v by %v, want %v by ErrLost", ended, cause, want)
				}
				st := state(t, c.nodes[0].s, "long")
				if st.State != "standby" || st.LeaseError == "" {
					t.Errorf("State = %+v, want standby and why", st)
				}
				c.leases.set(nil, false)
				time.Sleep(leaseTime)
				if st := state(t, c.nodes[0].s, "long"); st.Token != 2 {
					t.Errorf("State = %+v, want token 2 when the store is back", st)
				}
				c.stop()
			})
		})
	}
}

func TestAStoppedHolderFindsItsLeaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var causes []error
		c := newCluster(t, 1, 10*time.Second, 0, func(task *periodic.Task) {
			task.Run = func(ctx context.Context) error {
				causes = append(causes, sleep(ctx, 20*time.Second))
				return nil
			}
		})
		time.Sleep(15 * time.Second)
		c.nodes[0].clock.Pause(c.nodes[0].s, time.Hour)
		// The other one is there while the first is stopped.
		if g, err := c.leases.MemoryLeases.Acquire(t.Context(), "test/sweep", "other", leaseTime); err != nil || g.Token != 0 {
			t.Fatalf("Acquire = %+v, %v", g, err) // the store's clock has not moved
		}
		synctest.Wait()
		if len(causes) != 1 || !errors.Is(causes[0], periodic.ErrLost) {
			t.Errorf("the run ended by %v, want ErrLost, at once", causes)
		}
		c.stop()
	})
}

func TestNoRunWithoutTheStoresConsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, 10*time.Second, 0, nil)
		time.Sleep(11 * time.Second)
		// Somebody else got the lease, as after a step of the store's clock.
		if err := c.leases.Release(t.Context(), "test/sweep", 1); err != nil {
			t.Fatal(err)
		}
		g, err := c.leases.MemoryLeases.Acquire(t.Context(), "test/sweep", "other", 15*time.Second)
		if err != nil || g.Token != 2 || !g.Began || g.Ago != time.Second {
			t.Fatalf("Acquire = %+v, %v", g, err)
		}
		time.Sleep(14 * time.Second)
		if got := c.j.of("sweep"); len(got) != 1 {
			t.Errorf("runs at %v, want none while another has the lease", got)
		}
		time.Sleep(leaseTime)
		if got := c.last(); got != 3 {
			t.Errorf("token %d, want 3", got)
		}
		c.stop()
	})
}

func TestACalendarGoesOnWithTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, 0, 0, func(task *periodic.Task) { task.Schedule = hourly{} })
		time.Sleep(150 * time.Minute)
		if err := c.nodes[0].s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if got := c.j.of("sweep"); !slices.Equal(got, hours(1, 2, 3)) {
			t.Errorf("runs at %v", got)
		}
		c.stop()
	})
}

func TestImmediatelyIsOnceInTheCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2, time.Hour, 0, func(task *periodic.Task) { task.Immediately = true })
		time.Sleep(time.Minute)
		if err := c.nodes[0].s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Hour)
		if got := c.j.of("sweep"); !slices.Equal(got, hours(0, 1, 2)) {
			t.Errorf("runs at %v", got)
		}
		c.stop()
	})
}

func TestALeasedTaskComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, 10*time.Second, 4*time.Second, nil)
		n := c.nodes[0]
		time.Sleep(12 * time.Second)
		again := periodic.Task{Name: "sweep", Every: 10 * time.Second, Scope: periodic.OncePerCluster, Run: func(context.Context) error {
			c.j.note("again")
			return nil
		}}
		if !n.s.Remove("sweep") {
			t.Error("Remove = false")
		}
		if err := n.s.Add(again); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if got := c.j.of("sweep"); !slices.Equal(got, seconds(10)) {
			t.Errorf("old runs at %v", got)
		}
		// The new one waited for the end of the old run, and kept its interval.
		got := c.j.of("again")
		if len(got) == 0 || got[0] < 20*time.Second || got[0] > 24*time.Second {
			t.Errorf("new runs at %v, want the first from 20s to 24s", got)
		}
		c.stop()
	})
}
