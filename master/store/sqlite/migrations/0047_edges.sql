-- Needs between the shards of a cluster: a task of this shard may need tasks of another one. A cluster of one shard has no row of this.

-- What this shard has to say to each other one: numbered by it, applied there once, deleted when it was.
CREATE TABLE edges_out (
    to_shard INTEGER NOT NULL,
    number   INTEGER NOT NULL,             -- consecutive from 1 on within an epoch, which are the bits above 31
    kind     INTEGER NOT NULL,
    body     BLOB NOT NULL,                -- msgpack
    PRIMARY KEY (to_shard, number)
);

-- The last number that this shard has given, by the shard that it says it to.
CREATE TABLE edges_made (
    to_shard INTEGER PRIMARY KEY,
    number   INTEGER NOT NULL
);

-- The last number that this shard has applied of what another one says to it.
CREATE TABLE edges_in (
    of_shard INTEGER PRIMARY KEY,
    number   INTEGER NOT NULL
);

-- Runs of tasks of other shards that tasks of this one need: asked for, and not released yet.
CREATE TABLE edges_needs (
    queues BLOB NOT NULL,                  -- msgpack: the patterns of the queues that the key may use which needs them; empty: all
    first  BLOB NOT NULL,                  -- id of the first task; the i-th has this plus i
    length INTEGER NOT NULL,
    PRIMARY KEY (queues, first, length)
) WITHOUT ROWID;

-- What has become of those tasks that have ended.
CREATE TABLE edges_mirror (
    queues BLOB NOT NULL,
    id     BLOB NOT NULL,
    state  INTEGER NOT NULL,               -- -1: it is not there, or not for that key
    task   TEXT NOT NULL,                  -- what it calls; empty: it is not there
    body   BLOB,                           -- its result or failure
    again  INTEGER NOT NULL,               -- 1: it had ended so, and runs again by hand
    PRIMARY KEY (queues, id)
);

-- Runs of tasks of this shard that another one needs: they are kept, and it gets to know how they end.
CREATE TABLE edges_promises (
    to_shard INTEGER NOT NULL,
    queues   BLOB NOT NULL,
    first    BLOB NOT NULL,
    length   INTEGER NOT NULL,
    answered INTEGER NOT NULL,             -- so many of the first ones were looked at since it was asked; -1: not asked again since all was
    PRIMARY KEY (to_shard, queues, first, length)
) WITHOUT ROWID;

-- By whose rights a dependent needs tasks of other shards: the patterns as above. NULL: it needs none of another shard.
ALTER TABLE dependents ADD COLUMN queues BLOB;
