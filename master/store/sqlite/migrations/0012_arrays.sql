-- Tasks that were accepted together, of one callable with one set of options and consecutive ids, stand together: as an
-- array, which never changes, and as its slices, which do. A task has a row of its own, in tasks and with the same seq, once
-- something happens to it alone.

CREATE TABLE arrays (
    seq      INTEGER PRIMARY KEY,          -- number of its first task; the i-th task has seq + i
    stop     INTEGER NOT NULL,             -- the number behind that of its last task
    id       BLOB NOT NULL,                -- of its first task; the i-th task has id + i
    created  INTEGER NOT NULL,
    timeout  REAL,                         -- seconds
    options  BLOB,                         -- msgpack map of what differs from the defaults; NULL when nothing does
    origin   INTEGER,                      -- of origins; NULL: they were submitted
    payloads BLOB NOT NULL                 -- msgpack list with one bin for each task
);

CREATE UNIQUE INDEX arrays_by_id ON arrays (id);

-- Neighbours in an array to which the same has happened. Slices never overlap, and no task of a slice has a row in tasks.
CREATE TABLE slices (
    seq      INTEGER PRIMARY KEY,          -- number of its first task
    stop     INTEGER NOT NULL,             -- the number behind that of its last task
    array    INTEGER NOT NULL,             -- the seq of its array
    route    INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,             -- number of the latest lease
    returned INTEGER NOT NULL,             -- leases that ended before the tasks began
    lease    BLOB,                         -- of the latest attempt
    worker   INTEGER,                      -- of the latest attempt
    due      INTEGER,                      -- while scheduled; below zero an instant of the wall's clock
    expires  INTEGER,
    started  INTEGER,                      -- while it is leased: when it was
    finished INTEGER,                      -- when its tasks succeeded
    seconds  BLOB,                         -- how long each task ran: one little-endian float of four bytes each
    results  BLOB                          -- msgpack list with one bin, or nil, for each task that succeeded
);

CREATE INDEX slices_ready ON slices (route, priority DESC, seq) WHERE state = 0;
CREATE INDEX slices_due ON slices (due, route) WHERE state = 1;
CREATE INDEX slices_running ON slices (seq) WHERE state = 3;
CREATE INDEX slices_expiring ON slices (expires) WHERE expires IS NOT NULL AND state < 3;
CREATE INDEX slices_finished ON slices (finished, route, state, stop) WHERE finished IS NOT NULL;
