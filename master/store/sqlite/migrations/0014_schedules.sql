-- Schedules, and what became of their instants. One index says what is due, so that at rest nothing is read of any.

CREATE TABLE schedules (
    schedule INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    name     TEXT NOT NULL UNIQUE,
    key      TEXT NOT NULL,                -- of its maker, by whose rights its tasks are made
    base     BLOB NOT NULL,                -- msgpack map: what it says, as it was added or declared
    edits    BLOB,                         -- msgpack map: what an operator has changed of that
    declared INTEGER NOT NULL,             -- 1: workers have it in their code
    created  INTEGER NOT NULL,             -- this and the next two on the wall's clock
    last     INTEGER NOT NULL,             -- the last instant that was decided: none up to it is decided again
    fires    INTEGER,                      -- the next instant; NULL: none is waited for
    fired    INTEGER NOT NULL DEFAULT 0,   -- how many tasks it has made
    paused   INTEGER NOT NULL DEFAULT 0,   -- 1: by a person; 2: by the master
    reason   TEXT NOT NULL DEFAULT '',
    since    INTEGER,                      -- of the pause, steady
    orphaned INTEGER                       -- since when no worker declares it, steady
);
CREATE INDEX schedules_due ON schedules (fires) WHERE fires IS NOT NULL;
CREATE INDEX schedules_orphaned ON schedules (orphaned) WHERE orphaned IS NOT NULL AND fires IS NOT NULL;

CREATE TABLE occurrences (
    schedule INTEGER NOT NULL,
    instant  INTEGER NOT NULL,             -- wall; of several that were skipped together the last one
    kind     INTEGER NOT NULL,             -- 0: by time, 1: run now, 2: backfill, 3: skipped
    first    INTEGER NOT NULL,             -- of several that were skipped together the first one
    instants INTEGER NOT NULL,
    decided  INTEGER NOT NULL,             -- wall
    task     BLOB,                         -- NULL: skipped
    held     INTEGER NOT NULL,             -- 1: the task is made when an earlier one has ended
    state    INTEGER,                      -- in which its task ended; -1: skipped; NULL: it has not ended
    started  INTEGER,
    finished INTEGER,
    why      TEXT NOT NULL,
    PRIMARY KEY (schedule, instant, kind)
) WITHOUT ROWID;
CREATE INDEX occurrences_by_task ON occurrences (task) WHERE task IS NOT NULL;
CREATE INDEX occurrences_unfinished ON occurrences (schedule, instant) WHERE state IS NULL;
