-- name: workers
SELECT worker, node, host, pid FROM workers

-- name: put_worker
INSERT INTO workers (node, host, pid, version, seen) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (node) DO UPDATE SET host = excluded.host, pid = excluded.pid, version = excluded.version, seen = excluded.seen
RETURNING worker

-- name: forget_workers
-- The one with the highest number stays, so that no number is given twice.
DELETE FROM workers WHERE seen < ? AND worker < (SELECT max(worker) FROM workers)
    AND worker NOT IN (SELECT value FROM json_each(?))
    AND worker NOT IN (SELECT worker FROM tasks WHERE state = {state.RUNNING})
    AND worker NOT IN (SELECT worker FROM slices WHERE state = {state.RUNNING})

-- name: worker_version
SELECT version FROM workers WHERE worker = ?

-- name: worker_host
SELECT host FROM workers WHERE worker = ?

-- name: worker_names
SELECT worker, node, host FROM workers LIMIT ?

-- name: worker_name
SELECT node, host FROM workers WHERE worker = ?
