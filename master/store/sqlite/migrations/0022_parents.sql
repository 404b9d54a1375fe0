-- Which task has submitted which others, inside itself.

-- Tasks with consecutive numbers and ids that one task has submitted together.
CREATE TABLE parents (
    seq    INTEGER PRIMARY KEY,            -- number of the first one
    stop   INTEGER NOT NULL,               -- the number behind that of the last one
    id     BLOB NOT NULL,                  -- of the first one; the i-th has this plus i
    parent BLOB NOT NULL                   -- id of the task that submitted them; it may be deleted by now
);
CREATE INDEX parents_by_parent ON parents (parent, seq);
