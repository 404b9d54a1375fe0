-- What was a lane is a route, and what was a sync is a primitive: the words of the code.

ALTER TABLE lanes RENAME TO routes;
ALTER TABLE routes RENAME COLUMN lane TO route;
ALTER TABLE tasks RENAME COLUMN lane TO route;
ALTER TABLE syncs RENAME TO primitives;
ALTER TABLE primitives RENAME COLUMN sync TO primitive;
ALTER TABLE claims RENAME COLUMN sync TO primitive;
