-- The version of the code that a worker has, for the attempts that it made.
ALTER TABLE workers ADD COLUMN version TEXT;  -- NULL: it announced itself to an earlier master
