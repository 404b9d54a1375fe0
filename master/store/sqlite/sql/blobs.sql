-- name: find_blob
SELECT blob, hash, size, refs, keep FROM blobs WHERE hash = ?

-- name: put_blob
INSERT INTO blobs (hash, size, keep) VALUES (?, ?, ?)
ON CONFLICT (hash) DO UPDATE SET keep = max(keep, excluded.keep)
RETURNING blob

-- name: keep_blob
UPDATE blobs SET keep = ? WHERE blob = ?

-- name: name_blob
INSERT OR IGNORE INTO task_blobs (seq, blob) VALUES (?, ?)

-- name: name_blobs_of
INSERT OR IGNORE INTO task_blobs (seq, blob) SELECT ?, blob FROM task_blobs WHERE seq = ?

-- name: any_blob_named
SELECT EXISTS (SELECT 1 FROM task_blobs)

-- name: unname_blobs
DELETE FROM task_blobs WHERE seq = ?

-- name: collect_blobs
DELETE FROM blobs WHERE blob IN (
    SELECT blob FROM blobs WHERE refs = 0 AND keep <= ? ORDER BY keep LIMIT ?
)
RETURNING hash

-- name: any_blob
SELECT EXISTS (SELECT 1 FROM blobs)
