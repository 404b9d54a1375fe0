-- name: queues
SELECT name, paused, reason, since, until, key, maxsize, lifo, aging FROM queues

-- name: put_queue
INSERT INTO queues (name, paused, reason, since, until, key) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    paused = excluded.paused, reason = excluded.reason, since = excluded.since,
    until = excluded.until, key = excluded.key

-- name: bound_queue
INSERT INTO queues (name, paused, reason, maxsize) VALUES (?, 0, '', ?)
ON CONFLICT (name) DO UPDATE SET maxsize = excluded.maxsize

-- name: order_queue
INSERT INTO queues (name, paused, reason, lifo, aging) VALUES (?, 0, '', ?, ?)
ON CONFLICT (name) DO UPDATE SET lifo = excluded.lifo, aging = excluded.aging

-- name: routes
SELECT route, queue, task, lane FROM routes

-- name: add_route
INSERT INTO routes (route, queue, task, lane)
VALUES (1 + max(?, ifnull((SELECT max(route) FROM routes), 0)), ?, ?, ?) RETURNING route

-- name: drop_lane
DELETE FROM routes WHERE route = ?

-- name: drop_counts
DELETE FROM counts WHERE route = ?

-- name: origins
SELECT origin, queue, results FROM origins

-- name: add_origin
INSERT INTO origins (queue, results) VALUES (?, ?) RETURNING origin

-- name: orphan_origins
UPDATE origins SET queue = NULL WHERE queue = ?
