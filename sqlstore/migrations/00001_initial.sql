-- The types and constraints used here mean the same in SQLite and PostgreSQL. Times are microseconds since 1970 UTC.

-- +goose Up
CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id),
    role    TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
);

CREATE TABLE api_keys (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    secret_hash TEXT   NOT NULL UNIQUE,
    created_at  BIGINT NOT NULL
);

-- One row per user. Its update is what puts the user's notifications into one order.
CREATE TABLE inboxes (
    user_id       TEXT   NOT NULL PRIMARY KEY REFERENCES users (id),
    last_sequence BIGINT NOT NULL
);

CREATE TABLE notifications (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES inboxes (user_id),
    sequence   BIGINT NOT NULL,
    title      TEXT   NOT NULL,
    message    TEXT   NOT NULL,
    type       TEXT   NOT NULL,
    data       TEXT,
    topic      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    read_at    BIGINT,
    UNIQUE (user_id, sequence)
);
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL;

CREATE TABLE subscriptions (
    topic   TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (topic, user_id)
);
CREATE INDEX subscriptions_user ON subscriptions (user_id);

-- status_version is the version that brought the present status; announced_version is the status_version that the
-- owner was last told of, 0 when never.
CREATE TABLE orders (
    id                TEXT   NOT NULL PRIMARY KEY,
    owner_id          TEXT   NOT NULL REFERENCES users (id),
    status            TEXT   NOT NULL,
    progress          BIGINT NOT NULL,
    message           TEXT   NOT NULL,
    version           BIGINT NOT NULL,
    status_version    BIGINT NOT NULL,
    announced_version BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL
);
CREATE INDEX orders_owner ON orders (owner_id, updated_at);
CREATE INDEX orders_unannounced ON orders (id) WHERE announced_version < status_version;

CREATE TABLE order_events (
    order_id       TEXT   NOT NULL REFERENCES orders (id),
    version        BIGINT NOT NULL,
    status         TEXT   NOT NULL,
    status_version BIGINT NOT NULL,
    progress       BIGINT NOT NULL,
    message        TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (order_id, version)
);

-- data is base64: the two databases have no binary type in common.
CREATE TABLE sessions (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    data       TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);
