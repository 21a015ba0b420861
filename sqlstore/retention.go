package sqlstore

import (
	"context"
	"fmt"
	"time"

	"signalbox"
)

const (
	// inboxesPerRound and removedPerInbox bound what is removed in one call and in one transaction.
	inboxesPerRound = 100
	removedPerInbox = 500
)

// RemoveOldNotifications removes notifications that were stored before a time, and of each user all but the newest keep;
// the zero time and 0 remove none. It removes a batch and says how many that were: 0 when none are left to remove. What
// is left of an inbox is the newest of it, without a hole, and the inbox knows where it begins.
func (s *Store) RemoveOldNotifications(ctx context.Context, before time.Time, keep int) (removed int64, err error) {
	type inbox struct {
		user    string
		through int64
	}
	scan := func(sc scanner) (i inbox, err error) {
		err = sc.Scan(&i.user, &i.through)
		return i, err
	}
	var inboxes []inbox
	if !before.IsZero() {
		inboxes, err = collect(ctx, s.read, scan, `
			SELECT user_id, MAX(sequence) FROM notifications WHERE created_at < $1 GROUP BY user_id LIMIT $2`,
			before.UnixMicro(), inboxesPerRound)
	}
	if err == nil && keep > 0 {
		var full []inbox
		full, err = collect(ctx, s.read, scan, `
			SELECT user_id, last_sequence - $1 FROM inboxes WHERE last_sequence - removed_sequence > $1 LIMIT $2`,
			keep, inboxesPerRound)
		inboxes = append(inboxes, full...)
	}
	for _, i := range inboxes {
		if err != nil {
			break
		}
		var n int64
		n, err = s.removeThrough(ctx, i.user, i.through)
		removed += n
	}
	if err != nil {
		return removed, fmt.Errorf("removing old notifications: %w", err)
	}
	return removed, nil
}

// removeThrough removes some of a user's notifications up to a sequence, the oldest first.
func (s *Store) removeThrough(ctx context.Context, userID string, through int64) (removed int64, err error) {
	err = s.inTx(ctx, func(tx *tx) error {
		if err := lockInbox(ctx, tx, userID); err != nil {
			return err
		}
		var last int64
		if err := tx.QueryRowContext(ctx, `SELECT removed_sequence FROM inboxes WHERE user_id = $1`, userID).Scan(&last); err != nil {
			return err
		}
		last = min(through, last+removedPerInbox)
		unread, err := collect(ctx, tx, func(sc scanner) (unread bool, err error) {
			err = sc.Scan(&unread)
			return unread, err
		}, `DELETE FROM notifications WHERE user_id = $1 AND sequence <= $2 RETURNING read_at IS NULL`, userID, last)
		if err != nil {
			return err
		}
		removed = int64(len(unread))
		if removed == 0 {
			return nil // Another process was faster.
		}
		fewer := 0
		for _, u := range unread {
			if u {
				fewer++
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE inboxes SET removed_sequence = $1, unread = unread - $2 WHERE user_id = $3`,
			last, fewer, userID)
		if err != nil || fewer == 0 {
			return err
		}
		return addEvent(ctx, tx, signalbox.Event{UserID: userID, Unread: true})
	})
	return removed, err
}
