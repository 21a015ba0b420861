package sqlstore

import (
	"context"
	"errors"
	"fmt"

	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// publishingFile is locked by the process that sends for all who have the folder open.
const publishingFile = databaseFile + ".outbox.lock"

// publishingLock says which of the processes that have a folder open sends what its outbox holds. It is a lock on a
// file rather than a row with a time in it: the system takes it from a process that is killed at once.
type publishingLock struct {
	// path is the file; with PostgreSQL, where rows are locked instead, it is empty.
	path string
	// turn has one place, which is taken while a round is under way, and guards unlock.
	turn   chan struct{}
	unlock func() // ends the lock on the file; nil while this store has none
}

func newPublishingLock(path string) publishingLock {
	return publishingLock{path: path, turn: make(chan struct{}, 1)}
}

// acquire says whether this store may do a round now, until release is called. Once it may it goes on being the one,
// until the store is closed. One round at a time is done in a store on SQLite; whose turn it is not waits until ctx ends.
func (l *publishingLock) acquire(ctx context.Context) (release func(), ok bool, err error) {
	if l.path == "" {
		return func() {}, true, nil
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, false, fmt.Errorf("waiting for a round to end: %w", context.Cause(ctx))
	}
	if l.unlock == nil {
		// The lock must outlive ctx: it would end with it unnoticed, and another process would send at the same time.
		unlock, err := lockFile(context.WithoutCancel(ctx), l.path, 0)
		if err != nil {
			<-l.turn
			if isBusy(err) {
				return nil, false, nil
			}
			return nil, false, err
		}
		l.unlock = unlock
	}
	return func() { <-l.turn }, true, nil
}

// release waits for a round that is under way, and lets another process send.
func (l *publishingLock) release() {
	if l.path == "" {
		return
	}
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.unlock != nil {
		l.unlock()
		l.unlock = nil
	}
}

// isBusy says that another process holds a lock in SQLite.
func isBusy(err error) bool {
	failure, ok := errors.AsType[*sqlitedriver.Error](err)
	return ok && failure.Code()&0xff == sqlite3.SQLITE_BUSY
}
