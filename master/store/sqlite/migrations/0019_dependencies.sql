-- Tasks that need the results of others. They wait in the state blocked, which stands outside the indexes of what is ready and due.

-- A task that needs others; or neighbours of an array, of which the i-th needs the i-th of its needs.
CREATE TABLE dependents (
    seq      INTEGER PRIMARY KEY,          -- number of its first task
    stop     INTEGER NOT NULL,             -- the number behind that of its last task
    id       BLOB NOT NULL,                -- of its first task; the i-th has this plus i
    each     INTEGER NOT NULL,             -- 1: the i-th needs the i-th
    needed   INTEGER NOT NULL,             -- how many each of its tasks needs
    minimum  INTEGER NOT NULL,             -- and how many of these must succeed
    left     INTEGER NOT NULL,             -- how many have not ended, while it is blocked; not kept of neighbours
    missed   INTEGER NOT NULL,             -- how many have ended without success; not kept of neighbours
    culprit  BLOB,                         -- the first of these
    delay    INTEGER NOT NULL,             -- ms, from when it is no longer blocked
    at       INTEGER,                      -- an instant of the wall's clock before which it does not run
    open     INTEGER NOT NULL,             -- how many of its tasks have not ended
    ripe     INTEGER NOT NULL              -- 1: what it needs was decided, and what follows from it is still to be done
);
CREATE INDEX dependents_open ON dependents (seq) WHERE open > 0;

-- The runs of tasks that a dependent needs, in the order in which its arguments name them.
CREATE TABLE needs (
    seq      INTEGER NOT NULL,             -- of the dependent
    place    INTEGER NOT NULL,
    first    BLOB NOT NULL,                -- id of the first task; the i-th has this plus i
    length   INTEGER NOT NULL,
    PRIMARY KEY (seq, place)
) WITHOUT ROWID;

CREATE INDEX tasks_blocked ON tasks (route) WHERE state = 2;
CREATE INDEX slices_blocked ON slices (route) WHERE state = 2;
