-- The lease of each attempt that ended without success: a report that is repeated after its task was leased again is known by
-- it. Attempts of earlier versions have none.

ALTER TABLE attempts ADD COLUMN lease BLOB;
