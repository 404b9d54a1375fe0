-- Of each task how many of its leases came back unstarted, and where it comes from. Both stand before the payload: reading
-- what stands behind it walks its overflow pages. SQLite can only append a column, so the table is written again.

CREATE TABLE origins (
    origin  INTEGER PRIMARY KEY,
    queue   TEXT,                          -- the item queue of which such a task was an item; NULL: deleted since
    results TEXT,                          -- the item queue its result is put into; NULL: none
    CHECK (results <> '')
);
CREATE UNIQUE INDEX origins_by_queues ON origins (queue, ifnull(results, ''));

ALTER TABLE tasks RENAME TO tasks_before;

CREATE TABLE tasks (
    seq      INTEGER PRIMARY KEY,          -- order of acceptance
    id       BLOB NOT NULL,
    lane     INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,             -- number of the latest lease; grows by one, never reused: the fence
    returned INTEGER NOT NULL DEFAULT 0,   -- leases that ended before the task began: attempt - returned is what people count
    failures INTEGER NOT NULL,             -- attempts charged against retries
    crashes  INTEGER NOT NULL,             -- attempts charged against max_crashes
    cancel   INTEGER NOT NULL,             -- 1: asked for while it was leased
    lease    BLOB,                         -- of the latest attempt; kept, so that a repeated report is known
    worker   INTEGER,                      -- of the latest attempt
    created  INTEGER NOT NULL,
    due      INTEGER,                      -- while scheduled
    expires  INTEGER,
    started  INTEGER,                      -- of the latest attempt; while it is leased: when it was
    finished INTEGER,                      -- when it became terminal
    timeout  REAL,                         -- seconds
    options  BLOB,                         -- msgpack map of what differs from the defaults; NULL when nothing does
    origin   INTEGER,                      -- of origins; NULL: it was submitted
    payload  BLOB NOT NULL,
    result   BLOB                          -- result when succeeded, else the last failure
);

INSERT INTO tasks (seq, id, lane, state, priority, attempt, failures, crashes, cancel, lease, worker,
                   created, due, expires, started, finished, timeout, options, payload, result)
SELECT seq, id, lane, state, priority, attempt, failures, crashes, cancel, lease, worker,
       created, due, expires, started, finished, timeout, options, payload, result
FROM tasks_before ORDER BY seq;

DROP TABLE tasks_before;

CREATE UNIQUE INDEX tasks_by_id ON tasks (id);

-- Partial indexes hold only the tasks in that state: what cannot run stands outside the ready index.
CREATE INDEX tasks_ready ON tasks (lane, priority DESC, seq) WHERE state = 0;
CREATE INDEX tasks_due ON tasks (due, lane) WHERE state = 1;
CREATE INDEX tasks_running ON tasks (seq) WHERE state = 3;
CREATE INDEX tasks_expiring ON tasks (expires) WHERE expires IS NOT NULL AND state < 3;
CREATE INDEX tasks_finished ON tasks (finished, lane, state) WHERE finished IS NOT NULL;
