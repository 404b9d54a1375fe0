-- Ends of tasks with on_failure whose handlers are not made yet, because many ended in one transaction; and the keys of limits of
-- what flows call back.
CREATE TABLE unhandled (
    number  INTEGER PRIMARY KEY,
    id      BLOB NOT NULL,                 -- of the first task
    tasks   INTEGER NOT NULL,              -- with consecutive ids
    queue   TEXT NOT NULL,
    task    TEXT NOT NULL,
    state   INTEGER NOT NULL,
    body    BLOB,                          -- the failure of each
    handler BLOB NOT NULL,                 -- what is made, and by whose rights
    ended   INTEGER NOT NULL
);
ALTER TABLE flow_callbacks ADD COLUMN columns BLOB;
