-- name: add_step
INSERT INTO steps (seq, number, kind, name, attempt, recorded, seconds, until, size, body, role, key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: step
SELECT seq, number, kind, name, attempt, recorded, seconds, until, size, NULL FROM steps WHERE seq = ? AND number = ?

-- name: step_totals
SELECT count(*), ifnull(sum(size), 0) FROM steps WHERE seq = ?

-- name: step_bytes
SELECT ifnull(sum(bytes) FILTER (WHERE key = ?), 0), ifnull(sum(bytes), 0) FROM step_bytes

-- name: step_sizes
SELECT number, size FROM steps WHERE seq = ? AND number > ? ORDER BY number

-- name: steps_between
SELECT seq, number, kind, name, attempt, recorded, seconds, until, size, body FROM steps
WHERE seq = ? AND number > ? AND number <= ? ORDER BY number

-- name: steps_shown
SELECT seq, number, kind, name, attempt, recorded, seconds, until, size, NULL FROM steps WHERE seq = ? ORDER BY number

-- name: bytes_of_steps
SELECT (SELECT ifnull(sum(size), 0) FROM steps WHERE seq >= :seq AND seq < :stop AND body IS NOT NULL)
     + (SELECT ifnull(sum(size), 0) FROM signals WHERE seq >= :seq AND seq < :stop AND body IS NOT NULL)

-- name: drop_step_bodies
UPDATE steps SET body = NULL WHERE seq = ? AND body IS NOT NULL

-- name: any_step
SELECT EXISTS (SELECT 1 FROM steps)

-- name: delete_steps
DELETE FROM steps WHERE seq = ?

-- name: waits
SELECT seq, number, kind, name, attempt, recorded, seconds, until, size, NULL, role FROM steps
WHERE seq = ? AND kind = 2 ORDER BY number

-- name: decide_wait
UPDATE steps SET kind = :kind, recorded = :recorded, seconds = :seconds, size = :size, body = :body
WHERE seq = :seq AND number = :number AND kind = 2

-- name: send_signal
INSERT INTO signals (seq, token, name, key, role, arrived, step, size, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: signals
SELECT seq, token, name, key, role, arrived, step, size, NULL FROM signals WHERE seq = ? ORDER BY signal

-- name: signal
SELECT seq, token, name, key, role, arrived, step, size, body FROM signals WHERE seq = ? AND token = ?

-- name: take_signal
UPDATE signals SET step = ? WHERE seq = ? AND token = ? AND step IS NULL

-- name: drop_signal_bodies
UPDATE signals SET body = NULL WHERE seq = ? AND body IS NOT NULL

-- name: any_signal
SELECT EXISTS (SELECT 1 FROM signals)

-- name: delete_signals
DELETE FROM signals WHERE seq = ?
