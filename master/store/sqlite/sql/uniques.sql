-- Tasks that are the same by a key.

-- name: unique_of
SELECT route, key, id, states, until, fresh FROM uniques WHERE route = ? AND key = ?

-- name: unique_of_task
SELECT route, key, id, states, until, fresh FROM uniques WHERE id = ?

-- name: put_unique
INSERT INTO uniques (route, key, id, states, until, fresh) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (route, key) DO UPDATE
SET id = excluded.id, states = excluded.states, until = excluded.until, fresh = excluded.fresh

-- name: uniques_behind
SELECT number, route, key, id, states, until, fresh FROM uniques WHERE number > ? ORDER BY number LIMIT ?

-- name: forget_unique
DELETE FROM uniques WHERE number = ?
