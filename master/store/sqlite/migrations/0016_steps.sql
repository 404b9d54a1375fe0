-- Steps that tasks have recorded as done. The body stands last: what is looked at without it does not walk its pages.

CREATE TABLE steps (
    seq      INTEGER NOT NULL,             -- of its task
    number   INTEGER NOT NULL,             -- its place among the steps of its task, from 1
    kind     INTEGER NOT NULL,             -- 0: a call, 1: a sleep
    name     TEXT NOT NULL,
    attempt  INTEGER NOT NULL,             -- of its task, as people count, in which it was recorded
    recorded INTEGER NOT NULL,
    seconds  REAL,                         -- how long it took
    until    INTEGER,                      -- of a sleep: when it is over
    size     INTEGER NOT NULL,             -- bytes of the body, also when that is dropped
    body     BLOB                          -- what it returned; NULL: nothing, or its task has succeeded
);
CREATE UNIQUE INDEX steps_by_task ON steps (seq, number);
