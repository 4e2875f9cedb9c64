"""The statements that change rows in PostgreSQL, each guarded by the version it replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom_service.application.rows import Change

# One statement, so one round trip and one commit, for changes of different records. Rows are locked in the order of
# their keys, so that two replicas never wait for each other in a circle. A row that another transaction moves on while
# we wait for its lock is left alone: the statement reads as of its beginning, so that at worst a change is told of a
# conflict that had just gone. The settings come back with the answer, since they can be weakened under a connection.
COMMIT_CHANGES: Final = """
WITH new AS MATERIALIZED (
    SELECT * FROM unnest(%b::bytea[], %b::bigint[], %b::bytea[], %b::bigint[], %b::bytea[])
        AS t (record_id, version, sealed, at, event)
), standing AS MATERIALIZED (
    SELECT records.record_id FROM records JOIN new ON new.record_id = records.record_id
    WHERE records.version = new.version - 1 ORDER BY records.record_id FOR UPDATE OF records
), replaced AS (
    UPDATE records SET version = new.version, sealed = new.sealed FROM new, standing
    WHERE records.record_id = standing.record_id AND new.record_id = standing.record_id
        AND records.version = new.version - 1
    RETURNING records.record_id
), begun AS (
    INSERT INTO records (record_id, version, sealed)
    SELECT record_id, version, sealed FROM new WHERE version = 1 ORDER BY record_id
    ON CONFLICT DO NOTHING RETURNING record_id
), written AS MATERIALIZED (
    SELECT record_id FROM replaced UNION ALL SELECT record_id FROM begun
), noted AS (
    INSERT INTO events (record_id, version, at, sealed)
    SELECT new.record_id, new.version, new.at, new.event FROM new JOIN written ON written.record_id = new.record_id
), queued AS (
    INSERT INTO feed_waiting (record_id, version)
    SELECT new.record_id, new.version FROM new JOIN written ON written.record_id = new.record_id
)
SELECT current_setting('synchronous_standby_names'), current_setting('synchronous_commit'),
       array(SELECT record_id FROM written)
"""
BEGIN_VAULT: Final = """
INSERT INTO vault (id, version, sealed) VALUES (1, %b, %b) ON CONFLICT DO NOTHING
RETURNING current_setting('synchronous_standby_names'), current_setting('synchronous_commit')
"""
REPLACE_VAULT: Final = """
UPDATE vault SET version = %b, sealed = %b WHERE id = 1 AND version = %b
RETURNING current_setting('synchronous_standby_names'), current_setting('synchronous_commit')
"""


def columns(changes: Sequence[Change]) -> tuple[list[bytes], list[int], list[bytes], list[int], list[bytes]]:
    """Return the parameters of `COMMIT_CHANGES`, column by column."""
    return (
        [change.record_id for change in changes],
        [change.version for change in changes],
        [change.sealed_record for change in changes],
        [change.at for change in changes],
        [change.sealed_event for change in changes],
    )
