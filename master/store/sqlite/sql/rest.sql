-- name: get_meta
SELECT value FROM meta WHERE name = ?

-- name: set_meta
INSERT INTO meta (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: keys
SELECT id, role, queues, kdf, stored_key, server_key, state, note, created, last_used FROM keys ORDER BY created, id

-- name: put_key
INSERT INTO keys (id, role, queues, kdf, stored_key, server_key, state, note, created, last_used)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    role = excluded.role, queues = excluded.queues, kdf = excluded.kdf, stored_key = excluded.stored_key,
    server_key = excluded.server_key, state = excluded.state, note = excluded.note, last_used = excluded.last_used

-- name: queues
SELECT name, paused, reason, since FROM queues

-- name: put_queue
INSERT INTO queues (name, paused, reason, since) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    paused = excluded.paused, reason = excluded.reason, since = excluded.since

-- name: lanes
SELECT lane, queue, task FROM lanes

-- name: add_lane
INSERT INTO lanes (queue, task) VALUES (?, ?) RETURNING lane

-- name: workers
SELECT worker, node, host, pid FROM workers

-- name: put_worker
INSERT INTO workers (node, host, pid, seen) VALUES (?, ?, ?, ?)
ON CONFLICT (node) DO UPDATE SET host = excluded.host, pid = excluded.pid, seen = excluded.seen
RETURNING worker

-- name: forget_workers
DELETE FROM workers WHERE seen < ? AND worker NOT IN (SELECT worker FROM tasks WHERE state = {state.RUNNING})

-- name: origins
SELECT origin, queue, results FROM origins

-- name: add_origin
INSERT INTO origins (queue, results) VALUES (?, ?) RETURNING origin

-- name: orphan_origins
UPDATE origins SET queue = NULL WHERE queue = ?
