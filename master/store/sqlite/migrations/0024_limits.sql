-- Limits: what the code of programs declares under a name, and what an operator has laid over it.

CREATE TABLE limits (
    name     TEXT PRIMARY KEY,
    key      TEXT NOT NULL,                -- of the key that declared it, which alone changes it by declaring it otherwise
    declared BLOB NOT NULL,                -- msgpack map
    edits    BLOB,                         -- msgpack map: what an operator has changed of that
    since    INTEGER NOT NULL              -- when it was declared or changed, steady
) WITHOUT ROWID;
