-- Named values that outlive the programs that use them: a manager's dict, list, Namespace, Value and Array.

CREATE TABLE data (
    data    INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    type    TEXT NOT NULL,
    value   BLOB NOT NULL,                 -- as it was before the calls below
    callers BLOB NOT NULL                  -- the last call of each caller before those, and its answer
);

-- What has changed a value since: the calls, in order. Made again on the value they give what it is now.
CREATE TABLE data_calls (
    seq    INTEGER PRIMARY KEY,
    data   INTEGER NOT NULL,
    caller BLOB NOT NULL,
    number INTEGER NOT NULL,               -- grows with each of its caller: one that comes twice is done once
    call   BLOB NOT NULL                   -- method, arguments, which of them are slices
);
CREATE INDEX data_calls_of ON data_calls (data, seq);
