-- Ends of tasks whose handlers are not made yet.

-- name: add_unhandled
INSERT INTO unhandled (id, tasks, queue, task, state, body, handler, ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: first_unhandled
SELECT number, id, tasks, queue, task, state, body, handler, ended FROM unhandled ORDER BY number LIMIT ?

-- name: drop_unhandled
DELETE FROM unhandled WHERE number = ?

-- name: keep_unhandled
UPDATE unhandled SET id = ?, tasks = ? WHERE number = ?
