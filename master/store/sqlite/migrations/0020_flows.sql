-- Flows, their tasks and what is to be done when they end. A task knows its flow by its origin: minus the number of the flow.

CREATE TABLE flows (
    flow      INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again
    id        BLOB NOT NULL UNIQUE,
    name      TEXT NOT NULL,
    key       TEXT NOT NULL,                -- of its maker, by whose rights its callbacks are made
    node      BLOB,                         -- of the program that fills it; NULL: it is sealed
    collects  INTEGER NOT NULL,             -- 1: a task that fails ends none of the others
    state     TEXT NOT NULL,
    ending    INTEGER NOT NULL DEFAULT 0,   -- 1: it ends because a task failed; 2: it was cancelled
    reason    TEXT NOT NULL DEFAULT '',
    work      INTEGER NOT NULL DEFAULT 0,   -- what is done to its tasks, in portions: 1 they are cancelled, 2 retried
    place     INTEGER NOT NULL DEFAULT 0,   -- up to which it is done
    run       INTEGER NOT NULL DEFAULT 1,
    total     INTEGER NOT NULL DEFAULT 0,
    succeeded INTEGER NOT NULL DEFAULT 0,
    failed    INTEGER NOT NULL DEFAULT 0,   -- dead and lost ones among them
    cancelled INTEGER NOT NULL DEFAULT 0,   -- expired ones among them
    culprit   BLOB,                         -- the first task of this run that did not succeed
    created   INTEGER NOT NULL,
    finished  INTEGER                       -- when its last task of this run ended
);
CREATE INDEX flows_unfinished ON flows (flow) WHERE finished IS NULL OR work > 0;
CREATE INDEX flows_finished ON flows (finished) WHERE finished IS NOT NULL;

CREATE TABLE flow_members (
    flow  INTEGER NOT NULL,
    place INTEGER NOT NULL,                 -- of the first task, among all of the flow
    id    BLOB NOT NULL,                    -- of the first task; the others have the ids behind it
    tasks INTEGER NOT NULL,
    PRIMARY KEY (flow, place)
) WITHOUT ROWID;

CREATE TABLE flow_queues (
    flow  INTEGER NOT NULL,
    queue TEXT NOT NULL,                    -- of some of its tasks
    PRIMARY KEY (flow, queue)
) WITHOUT ROWID;

CREATE TABLE flow_callbacks (
    flow     INTEGER NOT NULL,
    token    BLOB NOT NULL,
    kind     TEXT NOT NULL,                 -- then, catch, finally
    queue    TEXT NOT NULL,
    task     TEXT NOT NULL,
    options  BLOB,                          -- msgpack map, as of tasks
    run      INTEGER NOT NULL DEFAULT 0,    -- the last run that it was decided for
    PRIMARY KEY (flow, token)
) WITHOUT ROWID;
CREATE INDEX flow_callbacks_by_run ON flow_callbacks (flow, run);
