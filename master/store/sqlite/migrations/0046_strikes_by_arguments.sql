-- A strike on arguments or tags is compared with each task that is ready when it is made, in portions.
ALTER TABLE strikes ADD COLUMN comparing INTEGER NOT NULL DEFAULT 0;  -- 1: they are not all compared yet; a start goes on
