-- Signals to tasks, and steps that wait for one: kind 2, then 3 (it came) or 4 (it did not come in time).

ALTER TABLE steps ADD COLUMN role TEXT;    -- of a wait: what the sender has to have; NULL: any that may send
CREATE INDEX steps_waiting ON steps (seq) WHERE kind = 2;

CREATE TABLE signals (
    signal  INTEGER PRIMARY KEY,           -- in the order in which they came
    seq     INTEGER NOT NULL,              -- of their task
    token   BLOB NOT NULL,                 -- names the call that sent it, which may be repeated
    name    TEXT NOT NULL,
    key     TEXT NOT NULL,                 -- the id of the key that sent it
    role    TEXT NOT NULL,                 -- of that key
    arrived INTEGER NOT NULL,
    step    INTEGER,                       -- the number of the step that took it; NULL: none has
    size    INTEGER NOT NULL,              -- bytes of the body, also when that is dropped
    body    BLOB                           -- what was sent with it; NULL: its task has succeeded
);
CREATE UNIQUE INDEX signals_by_task ON signals (seq, token);
