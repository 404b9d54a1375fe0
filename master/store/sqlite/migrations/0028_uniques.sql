-- Which task was accepted last of those that are the same by a key.

CREATE TABLE uniques (
    number INTEGER PRIMARY KEY,
    route  INTEGER NOT NULL,               -- of its queue and callable
    key    TEXT NOT NULL,
    id     BLOB NOT NULL,                  -- of the task; it may be deleted by now
    states INTEGER NOT NULL,               -- bit n: in the state with number n it is a conflict
    until  INTEGER,                        -- when it is none any more; NULL: that depends on its state alone
    UNIQUE (route, key)
);
