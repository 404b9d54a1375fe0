-- How long a task that has succeeded is returned to submits that are the same, and the row of a task, for `tq show`.
ALTER TABLE uniques ADD COLUMN fresh INTEGER;
CREATE INDEX uniques_by_id ON uniques (id);
