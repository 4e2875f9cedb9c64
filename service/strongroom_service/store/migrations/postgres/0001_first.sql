-- What SQLite has after its third migration, in the SQL that PostgreSQL shares with the engines that speak its wire.
-- Everything secret is sealed before it comes here.

-- A release serves a schema that is newer than its own as long as `serves_from` is not above what it knows.
CREATE TABLE schema_version (
    version BIGINT NOT NULL PRIMARY KEY CHECK (version >= 1),
    serves_from BIGINT NOT NULL CHECK (serves_from >= 1)
);

-- Rows are never deleted: a tombstone keeps the version, so that no version is ever used twice.
CREATE TABLE records (
    record_id BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(record_id) = 32),
    version BIGINT NOT NULL CHECK (version >= 1),
    sealed BYTEA NOT NULL
);

-- `at` is unix milliseconds, for retention only. The primary key is also the guard against a record row that was put
-- back: its next change would be a second event of one version, and is refused.
CREATE TABLE events (
    record_id BYTEA NOT NULL CHECK (octet_length(record_id) = 32),
    version BIGINT NOT NULL CHECK (version >= 1),
    at BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (record_id, version)
);

-- Where a record's history begins once its older events are gone: the chain head at `version`, the newest that is.
CREATE TABLE event_bases (
    record_id BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(record_id) = 32),
    version BIGINT NOT NULL CHECK (version >= 1),
    chain_head BYTEA NOT NULL CHECK (octet_length(chain_head) = 32)
);

-- An event gets its place in the sequence of all commits after it was committed, when somebody reads that sequence: a
-- number drawn inside the commit becomes visible out of order, and a reader who has passed it would never see it. So
-- commits leave their event in `feed_waiting`, and readers move what is there to `feed`, one reader at a time.
CREATE TABLE feed_waiting (
    arrived BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id BYTEA NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE feed (
    position BIGINT NOT NULL PRIMARY KEY CHECK (position >= 1),
    record_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (record_id, version)
);

-- The newest position ever given: none is given twice, not even after the newest events were removed.
CREATE TABLE feed_end (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL
);

INSERT INTO feed_end (id, position) VALUES (1, 0);

CREATE TABLE vault (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL CHECK (version >= 1),
    sealed BYTEA NOT NULL
);
