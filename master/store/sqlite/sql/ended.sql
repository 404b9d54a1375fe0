-- What ended in a span of time, the latest first. The bound stands inside: rows that are of no interest count, too, so that no span
-- costs more than another.

-- name: ended_alone
SELECT seq, 1 AS tasks, id, route, worker, attempt - returned, started, finished, state FROM tasks
WHERE finished >= :since AND finished < :until AND ttl IS NULL ORDER BY finished DESC LIMIT :most

-- name: ended_alone_kept
SELECT seq, 1 AS tasks, id, route, worker, attempt - returned, started, finished, state FROM tasks
WHERE finished >= :since AND finished < :until AND ttl IS NOT NULL ORDER BY finished DESC LIMIT :most

-- name: ended_together
SELECT seq, stop - seq, array, route, worker, attempt - returned, started, finished, state, seconds FROM slices
WHERE finished >= :since AND finished < :until AND ttl IS NULL ORDER BY finished DESC LIMIT :most

-- name: ended_together_kept
SELECT seq, stop - seq, array, route, worker, attempt - returned, started, finished, state, seconds FROM slices
WHERE finished >= :since AND finished < :until AND ttl IS NOT NULL ORDER BY finished DESC LIMIT :most

-- name: ended_attempts
SELECT attempts.seq, 1, id, route, attempts.worker, attempts.attempt, outcome, attempts.started, ended FROM attempts
LEFT JOIN tasks USING (seq)
WHERE ended >= :since AND ended < :until ORDER BY ended DESC LIMIT :most

-- name: worker_of
SELECT node, host FROM workers WHERE worker = ?
