-- Every event gets its place in the sequence of all commits: tenants read theirs on from where they were. AUTOINCREMENT: a
-- place is never given twice, not even after the newest events were removed. SQLite cannot add such a column, so the
-- table is made anew.
-- For PostgreSQL: BIGINT GENERATED ALWAYS AS IDENTITY, and readers that stop below the oldest change under way.

ALTER TABLE events RENAME TO events_without_position;

CREATE TABLE events (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    record_id BLOB NOT NULL CHECK (length(record_id) = 32),
    version INTEGER NOT NULL CHECK (version >= 1),
    at INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (record_id, version)
) STRICT;

INSERT INTO events (record_id, version, at, sealed)
SELECT record_id, version, at, sealed FROM events_without_position ORDER BY rowid;

DROP TABLE events_without_position;
