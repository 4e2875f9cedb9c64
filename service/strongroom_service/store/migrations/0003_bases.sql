-- Where a record's history begins once its older events are gone: the chain head at `version`, the newest that is.

CREATE TABLE event_bases (
    record_id BLOB NOT NULL PRIMARY KEY CHECK (length(record_id) = 32),
    version INTEGER NOT NULL CHECK (version >= 1),
    chain_head BLOB NOT NULL CHECK (length(chain_head) = 32)
) STRICT;
