-- The first schema. Times are whole milliseconds of Unix time; ids and leases are 16-byte blobs;
-- state and outcome numbers are those of common/domain/model.py.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE keys (
    id         TEXT PRIMARY KEY,
    role       TEXT NOT NULL,
    queues     TEXT NOT NULL,              -- glob patterns, one per line
    kdf        TEXT NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    state      TEXT NOT NULL,
    note       TEXT NOT NULL,
    created    INTEGER NOT NULL,
    last_used  INTEGER
) WITHOUT ROWID;

CREATE TABLE queues (
    name   TEXT PRIMARY KEY,
    paused INTEGER NOT NULL,
    reason TEXT NOT NULL
) WITHOUT ROWID;

-- A lane is one callable in one queue: what a worker either can serve or cannot.
CREATE TABLE lanes (
    lane  INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    task  TEXT NOT NULL,
    UNIQUE (queue, task)
);

CREATE TABLE workers (
    worker INTEGER PRIMARY KEY,
    node   BLOB NOT NULL UNIQUE,
    host   TEXT NOT NULL,
    pid    INTEGER NOT NULL,
    seen   INTEGER NOT NULL
);

CREATE TABLE tasks (
    seq      INTEGER PRIMARY KEY,          -- order of acceptance
    id       BLOB NOT NULL,
    lane     INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,             -- number of the latest lease; grows by one, never reused
    failures INTEGER NOT NULL,             -- attempts charged against retries
    crashes  INTEGER NOT NULL,             -- attempts charged against max_crashes
    cancel   INTEGER NOT NULL,             -- 1: asked for while it was running
    lease    BLOB,                         -- of the latest attempt; kept, so that a repeated report is known
    worker   INTEGER,                      -- of the latest attempt
    created  INTEGER NOT NULL,
    due      INTEGER,                      -- while scheduled
    expires  INTEGER,
    started  INTEGER,                      -- of the latest attempt
    finished INTEGER,                      -- when it became terminal
    timeout  REAL,                         -- seconds
    options  BLOB,                         -- msgpack map of what differs from the defaults; NULL when nothing does
    payload  BLOB NOT NULL,
    result   BLOB                          -- result when succeeded, else the last failure
);

CREATE UNIQUE INDEX tasks_by_id ON tasks (id);

-- Partial indexes hold only the tasks in that state: what cannot run stands outside the ready index.
CREATE INDEX tasks_ready ON tasks (lane, priority DESC, seq) WHERE state = 0;
CREATE INDEX tasks_due ON tasks (due, lane) WHERE state = 1;
CREATE INDEX tasks_running ON tasks (seq) WHERE state = 3;
CREATE INDEX tasks_expiring ON tasks (expires) WHERE expires IS NOT NULL AND state < 3;
CREATE INDEX tasks_finished ON tasks (finished, lane, state) WHERE finished IS NOT NULL;

-- Attempts that did not succeed. The successful one stands in its task's own row.
CREATE TABLE attempts (
    seq     INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    worker  INTEGER,
    outcome INTEGER NOT NULL,
    started INTEGER,
    ended   INTEGER NOT NULL,
    body    BLOB,
    PRIMARY KEY (seq, attempt)
) WITHOUT ROWID;
