-- +goose Up

-- When the key was last used, give or take a minute; null when that is not known.
ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;

-- That a user was removed is told to the user's connections after it: what is to be sent outlives the user. So these
-- tables refer to users no more, and are made anew because SQLite cannot change that of a table.
CREATE TABLE outbox_new (
    user_id    TEXT   NOT NULL,
    position   BIGINT NOT NULL,
    event      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, position)
);
INSERT INTO outbox_new (user_id, position, event, created_at) SELECT user_id, position, event, created_at FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;

CREATE TABLE outbox_users_new (
    user_id  TEXT   NOT NULL PRIMARY KEY,
    attempts BIGINT NOT NULL DEFAULT 0,
    due_at   BIGINT NOT NULL DEFAULT 0
);
INSERT INTO outbox_users_new (user_id, attempts, due_at) SELECT user_id, attempts, due_at FROM outbox_users;
DROP TABLE outbox_users;
ALTER TABLE outbox_users_new RENAME TO outbox_users;
CREATE INDEX outbox_users_due ON outbox_users (due_at);

CREATE TABLE dead_letters_new (
    user_id    TEXT   NOT NULL,
    position   BIGINT NOT NULL,
    event      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    reason     TEXT   NOT NULL,
    died_at    BIGINT NOT NULL,
    PRIMARY KEY (user_id, position)
);
INSERT INTO dead_letters_new (user_id, position, event, created_at, attempts, reason, died_at)
    SELECT user_id, position, event, created_at, attempts, reason, died_at FROM dead_letters;
DROP TABLE dead_letters;
ALTER TABLE dead_letters_new RENAME TO dead_letters;
