-- Since when a queue is paused, Unix milliseconds; unknown of those that were paused before.

ALTER TABLE queues ADD COLUMN since INTEGER;
