-- name: insert_plain
INSERT OR IGNORE INTO tasks
    (seq, id, payload, lane, state, attempt, lease, worker, created, started, priority, failures, crashes, cancel)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)

-- name: insert
INSERT OR IGNORE INTO tasks
    (seq, id, payload, lane, state, attempt, lease, worker, created, started,
     priority, due, expires, timeout, options, origin, failures, crashes, cancel)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)

-- name: ready_heads
SELECT priority, seq, length(payload) FROM tasks
WHERE state = 0 AND lane = ? ORDER BY priority DESC, seq LIMIT ?

-- name: lease_lane
UPDATE tasks
SET state = 3, attempt = attempt + 1, lease = :lease, worker = :worker, started = :now, due = NULL
WHERE seq IN (
    SELECT seq FROM tasks WHERE state = 0 AND lane = :lane ORDER BY priority DESC, seq LIMIT :limit
)
RETURNING priority, seq, id, lane, attempt, returned, crashes, timeout, origin, payload

-- name: lease_lane_measured
UPDATE tasks
SET state = 3, attempt = attempt + 1, lease = :lease, worker = :worker, started = :now, due = NULL
WHERE seq IN (
    SELECT seq FROM (
        SELECT seq, sum(length(payload)) OVER so_far AS bytes, row_number() OVER so_far AS place
        FROM tasks WHERE state = 0 AND lane = :lane
        WINDOW so_far AS (ORDER BY priority DESC, seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        ORDER BY priority DESC, seq LIMIT :limit
    ) WHERE bytes <= :bytes_max OR place = 1
)
RETURNING priority, seq, id, lane, attempt, returned, crashes, timeout, origin, payload

-- name: lease_one
UPDATE tasks
SET state = 3, attempt = attempt + 1, lease = :lease, worker = :worker, started = :now, due = NULL
WHERE seq = :seq AND state = 0
RETURNING priority, seq, id, lane, attempt, returned, crashes, timeout, origin, payload

-- name: succeed
UPDATE tasks SET state = 10, result = ?, started = ?, finished = ?
WHERE seq = ? AND state = 3 AND attempt = ? AND lease = ?

-- name: end_attempt
UPDATE tasks
SET state = :state, due = :due, failures = :failures, crashes = :crashes, finished = :finished,
    result = :body, started = :started
WHERE seq = :seq AND state = 3 AND attempt = :attempt AND lease = :lease

-- name: log_attempt
INSERT INTO attempts (seq, attempt, worker, outcome, started, ended, body)
VALUES (:seq, :number, :worker, :outcome, :started, :ended, :body)

-- name: return_unstarted
UPDATE tasks SET state = ?, finished = ?, returned = returned + 1, started = NULL, result = NULL
WHERE seq = ? AND state = 3 AND attempt = ? AND lease = ?

-- name: forget_snoozed
-- A task may snooze without end: of each task the last hundred are kept, and all that ended otherwise.
DELETE FROM attempts
WHERE :outcome = 4 AND seq = :seq AND attempt BETWEEN :number - 200 AND :number - 100 AND outcome = 4

-- name: forget_snoozed_logs
DELETE FROM attempt_logs
WHERE :outcome = 4 AND seq = :seq AND attempt BETWEEN :number - 200 AND :number - 100 AND attempt IN (
    SELECT attempt FROM attempts
    WHERE seq = :seq AND attempt BETWEEN :number - 200 AND :number - 100 AND outcome = 4
)

-- name: request_cancel
UPDATE tasks SET cancel = 1 WHERE seq = ? AND state = 3

-- name: cancel_waiting
UPDATE tasks SET state = 13, finished = ?, due = NULL WHERE seq = ? AND state IN (0, 1, 2)

-- name: revive
UPDATE tasks
SET state = 0, failures = 0, crashes = 0, cancel = 0, finished = NULL, result = NULL, expires = NULL
WHERE seq = ? AND state IN (11, 12, 13, 14, 15)

-- name: due
SELECT seq, lane FROM tasks WHERE state = 1 AND due BETWEEN 0 AND ? ORDER BY due LIMIT ?

-- name: due_at
SELECT seq, lane FROM tasks WHERE state = 1 AND due BETWEEN -? AND -1 ORDER BY due DESC LIMIT ?

-- name: next_at
SELECT -max(due) FROM tasks WHERE state = 1 AND due < 0

-- name: promote
UPDATE tasks SET state = 0, due = NULL WHERE seq = ? AND state = 1

-- name: next_due
SELECT min(due) FROM tasks WHERE state = 1 AND due >= 0

-- name: overdue
SELECT seq, id, lane, state, origin FROM tasks
WHERE expires IS NOT NULL AND state < 3 AND expires <= ? ORDER BY expires LIMIT ?

-- name: expire
UPDATE tasks SET state = 14, finished = ?, due = NULL WHERE seq = ? AND state = ?

-- name: next_expiry
SELECT min(expires) FROM tasks WHERE expires IS NOT NULL AND state < 3

-- name: finished_before
SELECT seq, lane, state FROM tasks WHERE finished IS NOT NULL AND finished <= ? ORDER BY finished LIMIT ?

-- name: delete_attempts
DELETE FROM attempts WHERE seq = ?

-- name: delete
DELETE FROM tasks WHERE seq = ?

-- name: find
SELECT seq, id, lane, state, attempt, returned, lease, cancel, origin FROM tasks WHERE id = ?

-- name: payload
SELECT payload FROM tasks WHERE seq = ?

-- name: outcome
SELECT id, lane, state, result FROM tasks WHERE id = ?

-- name: full
SELECT seq, id, queue, task, state, priority, attempt, returned, failures, crashes, cancel, worker,
       created, iif(due >= 0, due, NULL), iif(due < 0, -due, NULL), expires, started, finished, timeout, options, payload, result
FROM tasks JOIN lanes USING (lane) WHERE id = ?

-- name: listing
SELECT seq, id, queue, task, state, priority, attempt, returned, failures, crashes, cancel, worker,
       created, iif(due >= 0, due, NULL), iif(due < 0, -due, NULL), expires, started, finished, timeout, options, x'', NULL
FROM tasks JOIN lanes USING (lane) WHERE /*conditions*/ ORDER BY seq DESC LIMIT ?

-- name: created
SELECT created FROM tasks WHERE seq = ?

-- name: facts
SELECT seq, failures, crashes, cancel, options FROM tasks WHERE seq = ?

-- name: attempts
SELECT attempt, host, outcome, started, ended, body
FROM attempts LEFT JOIN workers USING (worker) WHERE seq = ? ORDER BY attempt

-- name: worker_host
SELECT host FROM workers WHERE worker = ?

-- name: running
SELECT seq, id, lane, attempt, returned, lease, worker, cancel, started, origin FROM tasks WHERE state = 3

-- name: count_ready
SELECT lane, 0, count(*) FROM tasks WHERE state = 0 GROUP BY lane

-- name: count_scheduled
SELECT lane, 1, count(*) FROM tasks WHERE state = 1 GROUP BY lane

-- name: count_finished
SELECT lane, state, count(*) FROM tasks WHERE finished IS NOT NULL GROUP BY lane, state

-- name: last_seq
SELECT coalesce(max(seq), 0) FROM tasks
