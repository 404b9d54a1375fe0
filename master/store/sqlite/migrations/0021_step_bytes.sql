-- How many bytes the steps and signals of each key take, so that their bound is checked without a scan.

ALTER TABLE steps ADD COLUMN key TEXT;     -- of a call: by which it was recorded; NULL: by an earlier version

CREATE TABLE step_bytes (
    key   TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL                 -- of bodies that have not been dropped
) WITHOUT ROWID;
INSERT INTO step_bytes SELECT key, sum(size) FROM signals WHERE body IS NOT NULL GROUP BY key;

CREATE TRIGGER step_recorded AFTER INSERT ON steps WHEN new.key IS NOT NULL AND new.body IS NOT NULL BEGIN
    INSERT INTO step_bytes VALUES (new.key, new.size) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER step_dropped AFTER UPDATE OF body ON steps WHEN old.body IS NOT NULL AND new.body IS NULL BEGIN
    UPDATE step_bytes SET bytes = bytes - old.size WHERE key = old.key;
END;
CREATE TRIGGER step_deleted AFTER DELETE ON steps WHEN old.body IS NOT NULL BEGIN
    UPDATE step_bytes SET bytes = bytes - old.size WHERE key = old.key;
END;
CREATE TRIGGER signal_sent AFTER INSERT ON signals WHEN new.body IS NOT NULL BEGIN
    INSERT INTO step_bytes VALUES (new.key, new.size) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER signal_dropped AFTER UPDATE OF body ON signals WHEN old.body IS NOT NULL AND new.body IS NULL BEGIN
    UPDATE step_bytes SET bytes = bytes - old.size WHERE key = old.key;
END;
CREATE TRIGGER signal_deleted AFTER DELETE ON signals WHEN old.body IS NOT NULL BEGIN
    UPDATE step_bytes SET bytes = bytes - old.size WHERE key = old.key;
END;
