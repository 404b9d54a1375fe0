-- Needs between the shards of a cluster.

-- name: add_edges
INSERT INTO edges_out (to_shard, number, kind, body) VALUES (?, ?, ?, ?)

-- name: forget_edges
DELETE FROM edges_out WHERE to_shard = ? AND number <= ?

-- name: edges_behind
SELECT number, kind, body FROM edges_out WHERE to_shard = ? AND number > ? ORDER BY number LIMIT ?

-- name: spans_of_edges
SELECT to_shard, min(number), max(number) FROM edges_out GROUP BY to_shard, number >> ? ORDER BY 1, 2

-- name: edges_made
SELECT to_shard, number FROM edges_made

-- name: set_edges_made
INSERT INTO edges_made (to_shard, number) VALUES (?, ?) ON CONFLICT (to_shard) DO UPDATE SET number = excluded.number

-- name: edges_applied
SELECT of_shard, number FROM edges_in

-- name: set_edges_applied
INSERT INTO edges_in (of_shard, number) VALUES (?, ?) ON CONFLICT (of_shard) DO UPDATE SET number = excluded.number

-- name: add_need_elsewhere
INSERT INTO edges_needs (queues, first, length) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- name: forget_need_elsewhere
DELETE FROM edges_needs WHERE queues = ? AND first = ? AND length = ?

-- name: needs_elsewhere
SELECT queues, first, length FROM edges_needs ORDER BY first, length, queues

-- name: mirror
INSERT INTO edges_mirror (queues, id, state, task, body, again) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (queues, id) DO UPDATE
SET state = excluded.state, task = excluded.task, body = excluded.body, again = excluded.again

-- name: mirrored
SELECT id, state, task, body, again FROM edges_mirror WHERE queues = ? AND id BETWEEN ? AND ? ORDER BY id

-- name: mirrored_states
SELECT id, state FROM edges_mirror WHERE queues = ? AND id BETWEEN ? AND ? AND again = 0 ORDER BY id

-- name: forget_mirrored
DELETE FROM edges_mirror WHERE queues = ? AND id IN (
    SELECT id FROM edges_mirror WHERE queues = ? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?
) RETURNING 1

-- name: promise
INSERT INTO edges_promises (to_shard, queues, first, length, answered) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (to_shard, queues, first, length) DO UPDATE SET answered = excluded.answered

-- name: promises
SELECT to_shard, queues, first, length, answered FROM edges_promises ORDER BY to_shard, first, length, queues

-- name: forget_promise
DELETE FROM edges_promises WHERE to_shard = ? AND queues = ? AND first = ? AND length = ?
