package sqlstore

import (
	"context"
	"database/sql"
)

// The statements that every publication runs, and the sending of what it has stored.
const (
	takeNumbers = `
		UPDATE inboxes SET last_sequence = last_sequence + 1, unread = unread + 1, last_event = last_event + 1
		WHERE user_id = $1 RETURNING last_sequence, last_event`
	insertNotification = `
		INSERT INTO notifications (id, user_id, sequence, title, message, type, data, topic, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	insertEvent  = `INSERT INTO outbox (user_id, position, event, created_at) VALUES ($1, $2, $3, $4)`
	selectAnswer = `
		SELECT request_hash, answer FROM idempotency_keys WHERE owner = $1 AND request_key = $2 AND created_at > $3`
	upsertAnswer = `
		INSERT INTO idempotency_keys (owner, request_key, request_hash, answer, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (owner, request_key) DO UPDATE SET request_hash = excluded.request_hash, answer = excluded.answer,
			created_at = excluded.created_at`
	deleteEvent      = `DELETE FROM outbox WHERE user_id = $1 AND position = $2`
	updateSent       = `UPDATE notifications SET sent_at = $1 WHERE id = $2 AND sent_at IS NULL`
	selectInbox      = `SELECT 1 FROM inboxes WHERE user_id = $1`
	confirmDelivered = `UPDATE notifications SET delivered_at = $1 WHERE id = $2 AND user_id = $3 AND delivered_at IS NULL`
)

// prepare prepares the frequent statements, for SQLite, where a fifth of the time of a publication would go into
// reading its statements. The driver for PostgreSQL prepares by itself what it sees again.
func prepare(ctx context.Context, db *sql.DB) (map[string]*sql.Stmt, error) {
	prepared := make(map[string]*sql.Stmt)
	for _, query := range []string{
		takeNumbers, insertNotification, insertEvent, selectAnswer, upsertAnswer, deleteEvent, updateSent, selectInbox,
		confirmDelivered, savepoint, rollbackSavepoint, releaseSavepoint,
	} {
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		prepared[query] = stmt // ends with db
	}
	return prepared, nil
}
