-- Locks, semaphores, events and barriers: what SyncManager's types keep.

CREATE TABLE syncs (
    sync    INTEGER PRIMARY KEY,
    family  TEXT NOT NULL,                 -- lock, event or barrier: each has names of its own
    name    TEXT NOT NULL,
    kind    TEXT NOT NULL,                 -- of a lock: lock, rlock, semaphore or bounded
    size    INTEGER NOT NULL,              -- the value a semaphore began with; a barrier's parties
    owner   BLOB,                          -- the node with which it goes; NULL: it stays
    value   INTEGER NOT NULL,              -- free permits; an event's flag; whether a barrier is broken
    counter INTEGER NOT NULL,              -- the last fencing token; how often set; how often passed
    UNIQUE (family, name)
);

CREATE TABLE claims (
    claim  INTEGER PRIMARY KEY,            -- the order they were made in
    sync   INTEGER NOT NULL,
    token  BLOB NOT NULL,                  -- names the call that made it
    node   BLOB NOT NULL,
    held   INTEGER NOT NULL,               -- 1: a permit is out; 0: remembered, in case the call is repeated
    number INTEGER NOT NULL,               -- held: its fencing token; else what the call was answered
    UNIQUE (sync, token)
);
