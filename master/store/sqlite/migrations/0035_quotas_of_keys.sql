-- What the tasks of a key may come to while they have not ended; NULL: any number.
ALTER TABLE keys ADD COLUMN max_queued INTEGER;
ALTER TABLE keys ADD COLUMN max_queued_bytes INTEGER;
