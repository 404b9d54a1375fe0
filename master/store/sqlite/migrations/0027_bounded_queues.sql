-- How many tasks may wait in a queue; 0: any number.
ALTER TABLE queues ADD COLUMN maxsize INTEGER NOT NULL DEFAULT 0;
