// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mainstay-go/mainstay/internal/wire"
)

// firstQuestion is above the IDs of resets, which are generations: both are answered by [wire.Done].
const firstQuestion = 1 << 32

var (
	errWorkerGone = errors.New("the worker ended before it answered")
	errWorkerDeaf = errors.New("the worker does not read what it is told")
)

// questions are what a worker was asked and has not answered yet. The zero value is ready; its methods
// may be called from many goroutines.
type questions struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]chan<- wireAnswer
	over bool // the worker is gone
}

// A wireAnswer is a message with its descriptors, which are the receiver's to close.
type wireAnswer struct {
	wire.Message
	fds []int
}

// ask sends the worker m and waits for the answer until ctx ends.
func (c *child) ask(ctx context.Context, m wire.Message) (wireAnswer, error) {
	answer := make(chan wireAnswer, 1) // at most one comes, and nobody waits for it to be taken
	id, ok := c.questions.add(answer)
	if !ok {
		return wireAnswer{}, errWorkerGone
	}
	m.ID = id
	if err := c.Conn.Send(m); err != nil {
		c.questions.take(id)
		if errors.Is(err, wire.ErrFull) {
			return wireAnswer{}, errWorkerDeaf
		}
		return wireAnswer{}, errWorkerGone
	}
	select {
	case a, ok := <-answer:
		return a.result(ok)
	case <-ctx.Done():
	}
	if c.questions.take(id) == nil { // it came after all
		a, ok := <-answer
		return a.result(ok)
	}
	return wireAnswer{}, context.Cause(ctx)
}

// result returns an answer as what it says; without ok it is none, as the worker is gone.
func (a wireAnswer) result(ok bool) (wireAnswer, error) {
	switch {
	case !ok:
		return a, errWorkerGone
	case a.Error != "":
		closeAll(a.fds)
		return wireAnswer{}, fmt.Errorf("worker: %s", a.Error)
	}
	return a, nil
}

func (q *questions) add(answer chan<- wireAnswer) (id uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return 0, false
	}
	if q.open == nil {
		q.open = make(map[uint64]chan<- wireAnswer)
	}
	q.last++
	id = firstQuestion + q.last
	q.open[id] = answer
	return id, true
}

// take returns who waits for the answer to id, and takes it off the list; nil is nobody.
func (q *questions) take(id uint64) chan<- wireAnswer {
	q.mu.Lock()
	defer q.mu.Unlock()
	answer := q.open[id]
	delete(q.open, id)
	return answer
}

// answered hands a message to whoever asked for it, and reports whether it answers a question at all.
func (q *questions) answered(m wire.Message, fds []int) bool {
	if m.Re < firstQuestion {
		return false
	}
	if answer := q.take(m.Re); answer != nil {
		answer <- wireAnswer{m, fds}
	} else {
		closeAll(fds) // whoever asked has given up
	}
	return true
}

// end tells everybody that no answer comes any more.
func (q *questions) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over = true
	for id, answer := range q.open {
		close(answer)
		delete(q.open, id)
	}
}
