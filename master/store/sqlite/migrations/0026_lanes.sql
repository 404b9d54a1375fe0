-- What tasks of a route are scheduled by besides it: a tenant, and limits with their keys. The number in the column "route" of a task is
-- that of its lane; the plain lane of a route has an empty one. Rows of tasks stay as they are.
ALTER TABLE routes RENAME TO routes_before;
CREATE TABLE routes (
    route INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    task  TEXT NOT NULL,
    lane  BLOB NOT NULL,
    UNIQUE (queue, task, lane)
);
INSERT INTO routes (route, queue, task, lane) SELECT route, queue, task, x'' FROM routes_before;
DROP TABLE routes_before;
