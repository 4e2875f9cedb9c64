-- Records, their events, and the vault's own row. Everything secret is sealed before it comes here.
-- For PostgreSQL the same tables with BYTEA and BIGINT; nothing else in this file is particular to SQLite but STRICT.
-- Ordinary rowid tables on purpose: rows are kilobytes, and WITHOUT ROWID pays only below a twentieth of a page.

CREATE TABLE schema_version (
    version INTEGER NOT NULL PRIMARY KEY CHECK (version >= 1)
) STRICT;

-- Rows are never deleted: a tombstone keeps the version, so that no version is ever used twice.
CREATE TABLE records (
    record_id BLOB NOT NULL PRIMARY KEY CHECK (length(record_id) = 32),
    version INTEGER NOT NULL CHECK (version >= 1),
    sealed BLOB NOT NULL
) STRICT;

-- `at` is unix milliseconds, for retention only. The primary key is also the guard against a record row that was put
-- back: its next change would be a second event of one version, and is refused.
CREATE TABLE events (
    record_id BLOB NOT NULL CHECK (length(record_id) = 32),
    version INTEGER NOT NULL CHECK (version >= 1),
    at INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (record_id, version)
) STRICT;

CREATE TABLE vault (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL CHECK (version >= 1),
    sealed BLOB NOT NULL
) STRICT;
