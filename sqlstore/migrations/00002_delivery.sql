-- +goose Up

-- last_event numbers the user's events; unread counts the unread notifications; those up to removed_sequence have been
-- removed by retention. All three change only in transactions that hold the row.
ALTER TABLE inboxes ADD COLUMN last_event BIGINT NOT NULL DEFAULT 0;
ALTER TABLE inboxes ADD COLUMN unread BIGINT NOT NULL DEFAULT 0;
ALTER TABLE inboxes ADD COLUMN removed_sequence BIGINT NOT NULL DEFAULT 0;
UPDATE inboxes SET unread = (
    SELECT COUNT(*) FROM notifications n WHERE n.user_id = inboxes.user_id AND n.read_at IS NULL
);

ALTER TABLE notifications ADD COLUMN sent_at BIGINT;
ALTER TABLE notifications ADD COLUMN delivered_at BIGINT;
CREATE INDEX notifications_age ON notifications (created_at);

-- What is to be shown, written with the change that it tells of and deleted once it is sent. event is JSON.
CREATE TABLE outbox (
    user_id    TEXT   NOT NULL REFERENCES users (id),
    position   BIGINT NOT NULL,
    event      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, position)
);

-- One row per user. Who sends the user's events locks it; who adds some does not touch it. attempts counts how often
-- the first event has failed.
CREATE TABLE outbox_users (
    user_id  TEXT   NOT NULL PRIMARY KEY REFERENCES users (id),
    attempts BIGINT NOT NULL DEFAULT 0,
    due_at   BIGINT NOT NULL DEFAULT 0
);
INSERT INTO outbox_users (user_id) SELECT id FROM users;
CREATE INDEX outbox_users_due ON outbox_users (due_at);

CREATE TABLE dead_letters (
    user_id    TEXT   NOT NULL REFERENCES users (id),
    position   BIGINT NOT NULL,
    event      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    reason     TEXT   NOT NULL,
    died_at    BIGINT NOT NULL,
    PRIMARY KEY (user_id, position)
);

-- Requests that may be repeated. answer is JSON.
CREATE TABLE idempotency_keys (
    owner        TEXT   NOT NULL,
    request_key  TEXT   NOT NULL,
    request_hash TEXT   NOT NULL,
    answer       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (owner, request_key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
