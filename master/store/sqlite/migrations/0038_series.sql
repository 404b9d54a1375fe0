-- What the master has measured: for each step a ring of points, so that there are never more.
CREATE TABLE series (
    step  INTEGER NOT NULL,                -- ms
    place INTEGER NOT NULL,                -- slot modulo how many are kept
    slot  INTEGER NOT NULL,                -- steps since 1970, steady
    body  BLOB NOT NULL,                   -- msgpack list, see SeriesPoint
    PRIMARY KEY (step, place)
) WITHOUT ROWID;
