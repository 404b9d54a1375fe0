-- What attempts say while they run: their progress, and the last part of their output.

CREATE TABLE attempt_logs (
    seq      INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    progress BLOB,                         -- msgpack [done, total or nil, note, unix seconds]; before the text,
                                           -- so that reading it touches no overflow page
    size     INTEGER NOT NULL,             -- bytes that were said in all
    text     BLOB NOT NULL,                -- the last of them
    PRIMARY KEY (seq, attempt)
);

-- One row: how much text is kept, so that its bound is checked without a scan.
CREATE TABLE log_bytes (bytes INTEGER NOT NULL);
INSERT INTO log_bytes (bytes) VALUES (0);

CREATE TRIGGER log_added AFTER INSERT ON attempt_logs BEGIN
    UPDATE log_bytes SET bytes = bytes + length(new.text);
END;
CREATE TRIGGER log_changed AFTER UPDATE OF text ON attempt_logs BEGIN
    UPDATE log_bytes SET bytes = bytes + length(new.text) - length(old.text);
END;
CREATE TRIGGER log_removed AFTER DELETE ON attempt_logs BEGIN
    UPDATE log_bytes SET bytes = bytes - length(old.text);
END;
