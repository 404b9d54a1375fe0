-- name: finished_before
SELECT finished, seq, seq + 1, route, state, NULL, length(payload) + ifnull(length(result), 0), id
FROM tasks WHERE finished IS NOT NULL AND ttl IS NULL AND finished >= ? AND finished <= ? ORDER BY finished LIMIT ? OFFSET ?

-- name: kept_until
-- Those that say for how long they are kept.
SELECT finished + ttl, seq, seq + 1, route, state, NULL, length(payload) + ifnull(length(result), 0), id
FROM tasks WHERE finished IS NOT NULL AND ttl IS NOT NULL AND finished + ttl >= ? AND finished + ttl <= ? ORDER BY finished + ttl LIMIT ? OFFSET ?

-- name: slices_kept_until
SELECT finished + ttl, slices.seq, slices.stop, route, state, array,
    length(payloads) * (slices.stop - array) / (arrays.stop - array)
    - length(payloads) * (slices.seq - array) / (arrays.stop - array)
    + ifnull(length(results), 0), id
FROM slices JOIN arrays ON arrays.seq = slices.array
WHERE finished IS NOT NULL AND ttl IS NOT NULL AND finished + ttl >= ? AND finished + ttl <= ? ORDER BY finished + ttl LIMIT ? OFFSET ?

-- name: slices_finished_before
SELECT finished, slices.seq, slices.stop, route, state, array,
    length(payloads) * (slices.stop - array) / (arrays.stop - array)
    - length(payloads) * (slices.seq - array) / (arrays.stop - array)
    + ifnull(length(results), 0), id
FROM slices JOIN arrays ON arrays.seq = slices.array
WHERE finished IS NOT NULL AND ttl IS NULL AND finished >= ? AND finished <= ? ORDER BY finished LIMIT ? OFFSET ?

-- name: delete_attempts
DELETE FROM attempts WHERE seq = ?

-- name: delete
DELETE FROM tasks WHERE seq = ?

-- name: kept_besides
-- Of which of these tables tasks of a range have rows.
SELECT
    EXISTS (SELECT 1 FROM attempts WHERE seq >= :seq AND seq < :stop),
    EXISTS (SELECT 1 FROM attempt_logs WHERE seq >= :seq AND seq < :stop),
    EXISTS (SELECT 1 FROM task_blobs WHERE seq >= :seq AND seq < :stop),
    EXISTS (SELECT 1 FROM steps WHERE seq >= :seq AND seq < :stop),
    EXISTS (SELECT 1 FROM signals WHERE seq >= :seq AND seq < :stop)

-- name: forget_between
DELETE FROM attempts WHERE seq >= ? AND seq < ?

-- name: forget_logs_between
DELETE FROM attempt_logs WHERE seq >= ? AND seq < ?

-- name: unname_blobs_between
DELETE FROM task_blobs WHERE seq >= ? AND seq < ?

-- name: delete_steps_between
DELETE FROM steps WHERE seq >= ? AND seq < ?

-- name: delete_signals_between
DELETE FROM signals WHERE seq >= ? AND seq < ?

-- name: array_upto
SELECT seq, stop FROM arrays WHERE seq <= ? ORDER BY seq DESC LIMIT 1

-- name: drop_array
-- One of which nothing is left.
DELETE FROM arrays WHERE seq = :array
    AND NOT EXISTS (SELECT 1 FROM slices WHERE seq >= :array AND seq < arrays.stop)
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE seq >= :array AND seq < arrays.stop)
