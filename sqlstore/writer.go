package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// writer runs the transactions of a store on SQLite. Those that come while one is being committed wait, and then run
// together, each in a savepoint, and are committed as one: the disk, which takes milliseconds to say that it has written,
// is asked once for all of them, and nobody is answered before it has said so.
type writer struct {
	store   *Store
	changes chan *change
	once    sync.Once     // close closes closing once
	closing chan struct{} // no more changes are taken
	closed  chan struct{} // closed when the goroutine has ended
}

// change is a transaction that waits for its turn.
type change struct {
	do    func(tx *tx) error
	alone func() error // runs it in a transaction of its own
	done  chan error   // has one place
}

// mostTogether is how many transactions are committed as one at most.
const mostTogether = 100

// A change is rolled back to where it began, and what was before it stays.
const (
	savepoint         = `SAVEPOINT change`
	rollbackSavepoint = `ROLLBACK TO change`
	releaseSavepoint  = `RELEASE change`
)

var (
	errClosed = errors.New("the store is closed")
	// errBroken says that a change has ended the transaction that it shared with others.
	errBroken = errors.New("a shared transaction is over")
)

// startWriter starts a goroutine, which ends with close.
func startWriter(s *Store) *writer {
	w := &writer{store: s, changes: make(chan *change), closing: make(chan struct{}), closed: make(chan struct{})}
	go w.run()
	return w
}

// close waits for what is being committed. What waits for its turn fails. It may be called again.
func (w *writer) close() {
	if w == nil {
		return
	}
	w.once.Do(func() { close(w.closing) })
	<-w.closed
}

// do is inTx. Once its turn has come it waits to the end: do may be running.
func (w *writer) do(ctx context.Context, unsafe func(tx *tx) error) error {
	do := func(tx *tx) (err error) {
		defer func() { // a panic must end neither the writer nor the program: it is the caller's alone
			if p := recover(); p != nil {
				err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
			}
		}()
		return unsafe(tx)
	}
	c := &change{do: do, alone: func() error { return w.store.tryTx(ctx, do) }, done: make(chan error, 1)}
	select {
	case w.changes <- c:
		return <-c.done
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
}

func (w *writer) run() {
	defer close(w.closed)
	for {
		select {
		case c := <-w.changes:
			w.commit(w.waiting(c))
		case <-w.closing:
			return
		}
	}
}

// waiting returns the change that has come, and those that wait behind it.
func (w *writer) waiting(first *change) []*change {
	group := []*change{first}
	for len(group) < mostTogether {
		select {
		case c := <-w.changes:
			group = append(group, c)
		default:
			return group
		}
	}
	return group
}

// commit runs changes and tells each what has come of it.
func (w *writer) commit(group []*change) {
	if len(group) == 1 {
		group[0].done <- group[0].alone()
		return
	}
	results, err := w.together(group)
	for i, c := range group {
		switch {
		case errors.Is(err, errBroken):
			// Such as by one whose context ended in the middle of a statement. Nothing is stored; who did it finds out.
			c.done <- c.alone()
		case err != nil:
			c.done <- err
		default:
			c.done <- results[i]
		}
	}
}

// together runs changes in one transaction, and returns the error of each. None is stored if there is an error beside.
func (w *writer) together(group []*change) (results []error, err error) {
	ctx := context.Background() // whoever goes away must not take the others along
	results = make([]error, len(group))
	err = w.store.tryTx(ctx, func(shared *tx) error {
		for i, c := range group {
			if _, err := shared.ExecContext(ctx, savepoint); err != nil {
				return errors.Join(errBroken, err)
			}
			own := &tx{Tx: shared.Tx, store: w.store}
			if results[i] = c.do(own); results[i] == nil {
				shared.events = shared.events || own.events
			} else if _, err := shared.ExecContext(ctx, rollbackSavepoint); err != nil {
				return errors.Join(errBroken, err)
			}
			if _, err := shared.ExecContext(ctx, releaseSavepoint); err != nil {
				return errors.Join(errBroken, err)
			}
		}
		return nil
	})
	return results, err
}
