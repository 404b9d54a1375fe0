-- What was deleted, with the highest fencing token that it gave: whoever makes it again gets higher ones, also after a restart.
CREATE TABLE deleted_primitives (
    number  INTEGER PRIMARY KEY,           -- in the order of their ends
    family  TEXT NOT NULL,
    name    TEXT NOT NULL,
    counter INTEGER NOT NULL,
    UNIQUE (family, name)
);
