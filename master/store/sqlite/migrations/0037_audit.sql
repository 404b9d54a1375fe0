-- Who changed what of the cluster, or of others' work.
CREATE TABLE audit (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,               -- of the first call, steady, as the next one
    last    INTEGER NOT NULL,               -- of the last call
    key     TEXT NOT NULL,                  -- the id of the key
    address TEXT NOT NULL,
    node    BLOB NOT NULL,
    method  TEXT NOT NULL,                  -- get_queues.set
    target  TEXT NOT NULL,                  -- what it was done to, in words
    calls   INTEGER NOT NULL,
    reached INTEGER                         -- to how many; NULL: the method does not say, or has not ended
);
CREATE INDEX audit_by_at ON audit (at, number);
CREATE INDEX audit_by_key ON audit (key, number);
