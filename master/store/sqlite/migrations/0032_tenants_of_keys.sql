-- The tenant of all tasks that a key submits; empty: they say it themselves.
ALTER TABLE keys ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
