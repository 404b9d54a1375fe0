-- What an operator has set for the tenants of tasks.

CREATE TABLE tenants (
    name        TEXT PRIMARY KEY,
    weight      INTEGER NOT NULL,          -- tasks in a turn
    max_running INTEGER,                   -- at once; NULL: any number
    since       INTEGER NOT NULL           -- when it was set, steady
) WITHOUT ROWID;
