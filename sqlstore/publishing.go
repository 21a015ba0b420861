package sqlstore

import (
	"context"
	"errors"
	"sync"

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

	mu     sync.Mutex // held while a round is under way
	unlock func()     // ends the lock on the file; nil while this store has none
}

// acquire says whether this store may do a round now, until release is called. Once it may it goes on being the one,
// until the store is closed. One round at a time is done in a store on SQLite.
func (l *publishingLock) acquire(ctx context.Context) (release func(), ok bool, err error) {
	if l.path == "" {
		return func() {}, true, nil
	}
	l.mu.Lock()
	if l.unlock == nil {
		unlock, err := lockFile(ctx, l.path, 0)
		if err != nil {
			l.mu.Unlock()
			if isBusy(err) {
				return nil, false, nil
			}
			return nil, false, err
		}
		l.unlock = unlock
	}
	return l.mu.Unlock, true, nil
}

// release lets another process send.
func (l *publishingLock) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
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
