package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox"
)

const (
	// missedPerPage is how many notifications are read at a time to be shown again.
	missedPerPage = 500
	// senderTimeout is how long to wait for a round that sends to the same users.
	senderTimeout = 3 * time.Second
)

// errSending says that somebody goes on sending to the same users.
var errSending = errors.New("the users' events are being sent")

// Missed implements [signalbox.NotificationService]. On PostgreSQL it shares the rows of the users in outbox_users, which
// a round of sending has for itself; on SQLite no round is done meanwhile. So what a round has sent has been noted, and is
// shown here if it was sent since that time, or it is in the outbox yet, and will be sent when show has returned. When a
// round takes longer than a few seconds, or with SQLite another process sends, it is not known which: then all is shown.
func (s *Store) Missed(
	ctx context.Context, after map[string]int64, since time.Time, show func(context.Context, []signalbox.Notification) error,
) error {
	if len(after) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	err := s.besideSenders(ctx, slices.Sorted(maps.Keys(after)), func(q querier) error {
		return showMissed(ctx, q, after, since, true, show)
	})
	if errors.Is(err, errSending) {
		err = showMissed(ctx, s.read, after, since, false, show)
	}
	if err != nil {
		return fmt.Errorf("showing what users have missed: %w", err)
	}
	return nil
}

// besideSenders runs do while nobody sends events to the users, or fails with errSending.
func (s *Store) besideSenders(ctx context.Context, users []string, do func(q querier) error) error {
	if s.dialect != postgres {
		limited, cancel := context.WithTimeout(ctx, senderTimeout)
		defer cancel()
		release, ok, err := s.publishing.acquire(limited)
		switch {
		case err == nil && !ok, err != nil && limited.Err() != nil && ctx.Err() == nil:
			return errSending
		case err != nil:
			return err
		}
		defer release()
		return do(s.read)
	}
	args := make([]any, len(users))
	for i, user := range users {
		args[i] = user
	}
	return s.inTx(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, senderTimeout.Milliseconds()))
		if err != nil {
			return err
		}
		// In one order, as all who lock several.
		_, err = collect(ctx, tx, scanText, `SELECT user_id FROM outbox_users
			WHERE user_id IN (`+placeholders(1, len(users))+`) ORDER BY user_id FOR SHARE`, args...)
		if isLockTimeout(err) {
			return errSending
		}
		if err != nil {
			return err
		}
		return do(tx)
	})
}

// showMissed shows a page after the other. Nobody sends if alone is true: what was neither sent nor given up is in the
// outbox then.
func showMissed(
	ctx context.Context, q querier, after map[string]int64, since time.Time, alone bool,
	show func(context.Context, []signalbox.Notification) error,
) error {
	after = maps.Clone(after)
	givenUp, err := notificationsGivenUp(ctx, q, slices.Collect(maps.Keys(after)), since)
	if err != nil {
		return err
	}
	for {
		page, err := unsentOrSentSince(ctx, q, after, since)
		if err != nil {
			return err
		}
		var missed []signalbox.Notification
		for _, n := range page {
			after[n.UserID] = n.Sequence
			if n.sent || givenUp[n.ID] || !alone && !n.CreatedAt.Before(since) {
				missed = append(missed, n.Notification)
			}
		}
		if len(missed) > 0 {
			if err := show(ctx, missed); err != nil {
				return err
			}
		}
		if len(page) < missedPerPage {
			return nil
		}
	}
}

// sentOrNot is a notification, and whether it was sent.
type sentOrNot struct {
	signalbox.Notification
	sent bool
}

// unsentOrSentSince reads a page of notifications, each user's above the sequence that after has for them, that were sent
// at a time or later, or not yet, by user and sequence.
func unsentOrSentSince(ctx context.Context, q querier, after map[string]int64, since time.Time) ([]sentOrNot, error) {
	args := []any{since.UnixMicro(), missedPerPage}
	var wanted strings.Builder
	for user, sequence := range after {
		if len(args) > 2 {
			wanted.WriteString(`, `)
		}
		args = append(args, user, sequence)
		fmt.Fprintf(&wanted, `(CAST($%d AS TEXT), CAST($%d AS BIGINT))`, len(args)-1, len(args))
	}
	return collect(ctx, q, func(sc scanner) (n sentOrNot, err error) {
		var sentAt sql.Null[int64]
		n.Notification, err = scanNotificationAnd(sc, &sentAt)
		n.sent = sentAt.Valid
		return n, err
	}, `WITH wanted (wanted_user, after) AS (VALUES `+wanted.String()+`)
		SELECT `+notificationColumns+`, sent_at FROM wanted JOIN notifications ON user_id = wanted_user AND sequence > after
		WHERE sent_at IS NULL OR sent_at >= $1 ORDER BY user_id, sequence LIMIT $2`, args...)
}

// notificationsGivenUp returns the ids of the notifications of users that became dead letters at a time or later.
func notificationsGivenUp(ctx context.Context, q querier, users []string, since time.Time) (map[string]bool, error) {
	args := []any{since.UnixMicro()}
	for _, user := range users {
		args = append(args, user)
	}
	ids, err := collect(ctx, q, func(sc scanner) (id string, err error) {
		var text string
		if err := sc.Scan(&text); err != nil {
			return "", err
		}
		var e struct{ Notification struct{ ID string } }
		_ = json.Unmarshal([]byte(text), &e) // What cannot be read tells of no notification.
		return e.Notification.ID, nil
	}, `SELECT event FROM dead_letters WHERE died_at >= $1 AND user_id IN (`+placeholders(2, len(users))+`)`, args...)
	givenUp := make(map[string]bool, len(ids))
	for _, id := range ids {
		givenUp[id] = true
	}
	return givenUp, err
}
