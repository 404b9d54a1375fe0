-- Rows of outboxes that were accepted: known until the relay can hand none of them over again, however soon their tasks are deleted.
CREATE TABLE receipts (
    receipt BLOB PRIMARY KEY,              -- the id of the row, as its program made it
    key     TEXT NOT NULL,                 -- the id of the relay's key
    until   INTEGER                        -- steady; NULL: the relay still has the row
) WITHOUT ROWID;
CREATE INDEX receipts_by_until ON receipts (until) WHERE until IS NOT NULL;
