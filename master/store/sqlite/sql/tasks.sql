-- name: insert_plain
INSERT OR IGNORE INTO tasks
    (seq, id, payload, route, state, attempt, lease, worker, created, started, priority, failures, crashes, cancel)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)

-- name: insert
INSERT OR IGNORE INTO tasks
    (seq, id, payload, route, state, attempt, lease, worker, created, started,
     priority, due, expires, timeout, options, origin, ttl, deadline, failures, crashes, cancel)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0)

-- name: ready_heads
SELECT priority, seq, length(payload) FROM tasks
WHERE state = {state.READY} AND route = ? ORDER BY priority DESC, seq LIMIT ?

-- name: next_level
SELECT max(priority) FROM tasks WHERE state = {state.READY} AND route = ? AND priority < ?

-- name: oldest_heads
SELECT priority, seq, length(payload), created, deadline FROM tasks
WHERE state = {state.READY} AND route = ? AND priority = ? ORDER BY seq LIMIT ?

-- name: newest_heads
SELECT priority, seq, length(payload), created, deadline FROM tasks
WHERE state = {state.READY} AND route = ? AND priority = ? ORDER BY seq DESC LIMIT ?

-- name: urgent_heads
SELECT priority, seq, length(payload), created, deadline FROM tasks
WHERE state = {state.READY} AND deadline IS NOT NULL AND route = ? AND priority = ? ORDER BY deadline, seq LIMIT ?

-- name: ready_between
-- By id, of which there are few: not by the state, of which there may be many.
SELECT priority, seq, length(payload) FROM tasks
WHERE id BETWEEN ? AND ? AND +state = {state.READY} ORDER BY id LIMIT ?

-- name: lease_route
-- moves: READY to RUNNING
UPDATE tasks
SET state = {to}, attempt = attempt + 1, lease = :lease, worker = :worker, started = :now, due = NULL
WHERE seq IN (
    SELECT seq FROM tasks WHERE {from} AND route = :route ORDER BY priority DESC, seq LIMIT :limit
)
RETURNING priority, seq, id, route, attempt, returned, crashes, timeout, origin, options, payload

-- name: lease_route_measured
-- moves: READY to RUNNING
UPDATE tasks
SET state = {to}, attempt = attempt + 1, lease = :lease, worker = :worker, started = :now, due = NULL
WHERE seq IN (
    SELECT seq FROM (
        SELECT seq, sum(length(payload)) OVER so_far AS bytes, row_number() OVER so_far AS place
        FROM tasks WHERE {from} AND route = :route
        WINDOW so_far AS (ORDER BY priority DESC, seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        ORDER BY priority DESC, seq LIMIT :limit
    ) WHERE bytes <= :bytes_max OR place = 1
)
RETURNING priority, seq, id, route, attempt, returned, crashes, timeout, origin, options, payload

-- name: lease_rows
-- moves: READY to RUNNING
UPDATE tasks
SET state = {to}, attempt = attempt + 1, lease = :lease, worker = :worker, started = :now, due = NULL
WHERE seq IN (SELECT value FROM json_each(:seqs)) AND {from}
RETURNING priority, seq, id, route, attempt, returned, crashes, timeout, origin, options, payload

-- name: succeed
-- moves: RUNNING to SUCCEEDED
UPDATE tasks SET state = {to}, result = ?, started = ?, finished = ?
WHERE seq = ? AND {from} AND attempt = ? AND lease = ?

-- name: succeed_one
-- moves: RUNNING to SUCCEEDED
UPDATE tasks SET state = {to}, result = ?, started = ?, finished = ?
WHERE seq = ? AND {from} AND attempt = ? AND lease = ?
RETURNING route, length(payload) + ifnull(length(result), 0)

-- name: end_attempt
-- moves: RUNNING to :state
UPDATE tasks
SET state = {to}, due = :due, failures = :failures, crashes = :crashes, finished = :finished,
    result = :body, started = :started
WHERE seq = :seq AND {from} AND attempt = :attempt AND lease = :lease

-- name: log_attempt
INSERT INTO attempts (seq, attempt, worker, outcome, started, ended, body, lease) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: return_unstarted
-- moves: RUNNING to ?1
UPDATE tasks SET state = {to}, finished = ?2, returned = returned + 1, started = NULL, result = NULL
WHERE seq = ?3 AND {from} AND attempt = ?4 AND lease = ?5

-- name: forget_snoozed
-- A task may snooze without end: of each task the last hundred are kept, and all that ended otherwise.
DELETE FROM attempts
WHERE :outcome = {outcome.SNOOZE} AND seq = :seq AND attempt BETWEEN :number - 200 AND :number - 100 AND outcome = {outcome.SNOOZE}

-- name: keep_begun
-- A task that goes on later, or became another, has begun, and expires no more: it may be in the midst of its steps.
UPDATE tasks SET expires = NULL WHERE seq = :seq AND expires IS NOT NULL

-- name: forget_snoozed_logs
DELETE FROM attempt_logs
WHERE :outcome = {outcome.SNOOZE} AND seq = :seq AND attempt BETWEEN :number - 200 AND :number - 100 AND attempt IN (
    SELECT attempt FROM attempts
    WHERE seq = :seq AND attempt BETWEEN :number - 200 AND :number - 100 AND outcome = {outcome.SNOOZE}
)

-- name: request_cancel
UPDATE tasks SET cancel = 1 WHERE seq = ? AND state = {state.RUNNING}

-- name: cancel_waiting
-- moves: waiting to CANCELLED
UPDATE tasks SET state = {to}, finished = ?, due = NULL WHERE seq = ? AND {from}

-- name: revive
-- moves: ended to READY
UPDATE tasks
SET state = {to}, failures = 0, crashes = 0, cancel = 0, finished = NULL, result = NULL, expires = NULL
WHERE seq = ? AND {from}

-- name: promote_due
-- moves: SCHEDULED to READY
UPDATE tasks SET state = {to}, due = NULL
WHERE seq IN (SELECT seq FROM tasks WHERE {from} AND due BETWEEN 0 AND ? ORDER BY due LIMIT ?)
RETURNING seq, route

-- name: promote_at
-- moves: SCHEDULED to READY
UPDATE tasks SET state = {to}, due = NULL
WHERE seq IN (SELECT seq FROM tasks WHERE {from} AND due BETWEEN -? AND -1 ORDER BY due DESC LIMIT ?)
RETURNING seq, route

-- name: next_at
SELECT -max(due) FROM tasks WHERE state = {state.SCHEDULED} AND due < 0

-- name: promote
-- moves: SCHEDULED to READY
UPDATE tasks SET state = {to}, due = NULL WHERE seq = ? AND {from}

-- name: next_due
SELECT min(due) FROM tasks WHERE state = {state.SCHEDULED} AND due >= 0

-- name: overdue
SELECT seq, seq + 1, id, route, state, origin FROM tasks
WHERE expires IS NOT NULL AND state < {state.RUNNING} AND expires <= ? ORDER BY expires LIMIT ?

-- name: expire
-- moves: ?3 to EXPIRED
UPDATE tasks SET state = {to}, finished = ?1, due = NULL WHERE seq = ?2 AND {from}

-- name: next_expiry
SELECT min(expires) FROM tasks WHERE expires IS NOT NULL AND state < {state.RUNNING}
