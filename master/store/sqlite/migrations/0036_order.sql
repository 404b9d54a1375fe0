-- In which order the tasks of a queue start, besides by priority and age; and when tasks should have ended, by which they are ordered.
ALTER TABLE queues ADD COLUMN lifo INTEGER NOT NULL DEFAULT 0;   -- 1: what was submitted last goes first
ALTER TABLE queues ADD COLUMN aging INTEGER NOT NULL DEFAULT 0;  -- ms of waiting that count as one step of priority; 0: it does not count

ALTER TABLE tasks ADD COLUMN deadline INTEGER;   -- steady
ALTER TABLE slices ADD COLUMN deadline INTEGER;
CREATE INDEX tasks_urgent ON tasks (route, priority, deadline, seq) WHERE state = 0 AND deadline IS NOT NULL;
CREATE INDEX slices_urgent ON slices (route, priority, deadline, seq) WHERE state = 0 AND deadline IS NOT NULL;
