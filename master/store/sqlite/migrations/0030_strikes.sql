-- Strikes: conditions on the lanes of tasks, which an operator holds back for a time; and pauses of queues that end by themselves.
CREATE TABLE strikes (
    strike    INTEGER PRIMARY KEY AUTOINCREMENT,  -- its number for people, which is never used again
    condition TEXT NOT NULL UNIQUE,
    reason    TEXT NOT NULL,
    key       TEXT NOT NULL,                -- of the key that made it
    since     INTEGER NOT NULL,             -- steady, as the next one
    until     INTEGER                       -- NULL: until it is removed
);

ALTER TABLE queues ADD COLUMN until INTEGER;             -- when a paused queue goes on, steady; NULL: by a person's word
ALTER TABLE queues ADD COLUMN key TEXT NOT NULL DEFAULT '';  -- that paused it
