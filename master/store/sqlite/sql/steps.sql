-- name: add_step
INSERT INTO steps (seq, number, kind, name, attempt, recorded, seconds, until, size, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: step
SELECT seq, number, kind, name, attempt, recorded, seconds, until, size, NULL FROM steps WHERE seq = ? AND number = ?

-- name: step_totals
SELECT count(*), ifnull(sum(size), 0) FROM steps WHERE seq = ?

-- name: step_sizes
SELECT number, size FROM steps WHERE seq = ? AND number > ? ORDER BY number

-- name: steps_between
SELECT seq, number, kind, name, attempt, recorded, seconds, until, size, body FROM steps
WHERE seq = ? AND number > ? AND number <= ? ORDER BY number

-- name: steps_shown
SELECT seq, number, kind, name, attempt, recorded, seconds, until, size, NULL FROM steps WHERE seq = ? ORDER BY number

-- name: drop_step_bodies
UPDATE steps SET body = NULL WHERE seq = ? AND body IS NOT NULL

-- name: any_step
SELECT EXISTS (SELECT 1 FROM steps)

-- name: delete_steps
DELETE FROM steps WHERE seq = ?
