-- Tasks that say for how long they are kept once they have ended. Each task that has ended is in one index: by when it ended, or,
-- of those that say so, by when its time is over.

ALTER TABLE tasks ADD COLUMN ttl INTEGER;  -- ms from its end until it is deleted; NULL: as the master keeps all others
ALTER TABLE slices ADD COLUMN ttl INTEGER; -- of each of its tasks

DROP INDEX tasks_finished;
DROP INDEX slices_finished;
CREATE INDEX tasks_finished ON tasks (finished, route, state) WHERE finished IS NOT NULL AND ttl IS NULL;
CREATE INDEX slices_finished ON slices (finished, route, state, stop) WHERE finished IS NOT NULL AND ttl IS NULL;
CREATE INDEX tasks_kept ON tasks (finished + ttl) WHERE finished IS NOT NULL AND ttl IS NOT NULL;
CREATE INDEX slices_kept ON slices (finished + ttl) WHERE finished IS NOT NULL AND ttl IS NOT NULL;
