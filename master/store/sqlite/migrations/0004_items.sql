-- Plain values in named queues: what put() and get() of the managers' door move.

CREATE TABLE item_queues (
    queue      INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,              -- fifo, lifo or priority
    maxsize    INTEGER NOT NULL,           -- 0: no bound
    unfinished INTEGER NOT NULL,           -- put, and not yet told done by task_done()
    owner      BLOB                        -- the node with which it goes; NULL: it stays
);

CREATE TABLE items (
    seq     INTEGER PRIMARY KEY,           -- order of acceptance
    queue   INTEGER NOT NULL,
    rank    BLOB NOT NULL,                 -- what comes first: 0; -seq for lifo; a rank of common/values/sort_keys.py
    holder  BLOB,                          -- token of the get() it was given to, until that is confirmed
    node    BLOB,                          -- whose get() that was
    payload BLOB NOT NULL
);

CREATE INDEX items_waiting ON items (queue, rank, seq) WHERE holder IS NULL;
CREATE UNIQUE INDEX items_held ON items (holder) WHERE holder IS NOT NULL;

-- The number of the last put of each putter in each queue: one that comes twice is taken once.
CREATE TABLE putters (
    queue  INTEGER NOT NULL,
    putter BLOB NOT NULL,
    number INTEGER NOT NULL,
    seen   INTEGER NOT NULL,
    PRIMARY KEY (queue, putter)
) WITHOUT ROWID;
CREATE INDEX putters_seen ON putters (seen);
