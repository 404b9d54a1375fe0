-- The tokens of limits with a rate, for each key that has started tasks lately. A key without a row has all its tokens.

CREATE TABLE limit_buckets (
    name    TEXT NOT NULL,                 -- of the limit
    key     TEXT NOT NULL,
    level   INTEGER NOT NULL,              -- parts of tokens; below zero: a debt
    ms      INTEGER NOT NULL,              -- so many parts are a token
    at      INTEGER NOT NULL,              -- the moment of the level, steady
    full_at INTEGER NOT NULL,              -- when there are as many tokens as there may be, steady
    PRIMARY KEY (name, key)
) WITHOUT ROWID;
CREATE INDEX limit_buckets_full ON limit_buckets (full_at);
