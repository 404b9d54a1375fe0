-- Content kept beside the tasks that name it, one file each. How many name it is kept true by the database. That
-- a task's references go with it is not left to a trigger: it would make every deletion half as dear again.

CREATE TABLE blobs (
    blob INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,             -- BLAKE2b-256 of the content
    size INTEGER NOT NULL,
    refs INTEGER NOT NULL DEFAULT 0,       -- rows of task_blobs
    keep INTEGER NOT NULL                  -- until then it stays, even if no task names it
);
CREATE INDEX blobs_idle ON blobs (keep) WHERE refs = 0;

CREATE TABLE task_blobs (
    seq  INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    PRIMARY KEY (seq, blob)
) WITHOUT ROWID;

CREATE TRIGGER blob_named AFTER INSERT ON task_blobs BEGIN
    UPDATE blobs SET refs = refs + 1 WHERE blob = new.blob;
END;
CREATE TRIGGER blob_unnamed AFTER DELETE ON task_blobs BEGIN
    UPDATE blobs SET refs = refs - 1 WHERE blob = old.blob;
END;
