-- Tasks that returned the handle of another one, whose result is their own.

-- While such a task waits for the end of the other one it is blocked; the row stays after that, until the task runs again by hand.
CREATE TABLE becomings (
    seq   INTEGER PRIMARY KEY,             -- number of the task
    other BLOB NOT NULL                    -- id of the one that it became; it may be deleted by now
);
