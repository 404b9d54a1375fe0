-- Reading tasks. A query of operators visits at most as many rows as its limit, however many the table holds.

-- name: find
SELECT seq, id, route, state, attempt, returned, lease, cancel, origin FROM tasks WHERE id = ?

-- name: find_between
SELECT seq, id, route, state, attempt, returned, lease, cancel, origin FROM tasks WHERE id BETWEEN ? AND ?

-- name: payload
SELECT payload FROM tasks WHERE seq = ?

-- name: unfinished_sizes
SELECT route, id, length(payload) FROM tasks WHERE state = {state.READY} AND route IN (SELECT value FROM json_each(:routes))
UNION ALL
SELECT route, id, length(payload) FROM tasks WHERE state = {state.SCHEDULED} AND route IN (SELECT value FROM json_each(:routes))
UNION ALL
SELECT route, id, length(payload) FROM tasks WHERE state = {state.BLOCKED} AND route IN (SELECT value FROM json_each(:routes))
UNION ALL
SELECT route, id, length(payload) FROM tasks WHERE state = {state.RUNNING} AND route IN (SELECT value FROM json_each(:routes))

-- name: unfinished_slices
SELECT route, seq, stop, array FROM slices WHERE state = {state.READY} AND route IN (SELECT value FROM json_each(:routes))
UNION ALL
SELECT route, seq, stop, array FROM slices WHERE state = {state.SCHEDULED} AND route IN (SELECT value FROM json_each(:routes))
UNION ALL
SELECT route, seq, stop, array FROM slices WHERE state = {state.BLOCKED} AND route IN (SELECT value FROM json_each(:routes))
UNION ALL
SELECT route, seq, stop, array FROM slices WHERE state = {state.RUNNING} AND route IN (SELECT value FROM json_each(:routes))

-- name: outcome
SELECT id, route, state, result FROM tasks WHERE id = ?

-- name: outcomes_between
SELECT id, route, state, result FROM tasks WHERE id BETWEEN ? AND ?

-- name: full
SELECT seq, id, queue, task, state, priority, attempt, returned, failures, crashes, cancel, worker,
       created, iif(due >= 0, due, NULL), iif(due < 0, -due, NULL), expires, started, finished, timeout, options, payload, result
FROM tasks JOIN routes USING (route) WHERE id = ?

-- name: listing
SELECT seq, id, queue, task, state, priority, attempt, returned, failures, crashes, cancel, worker,
       created, iif(due >= 0, due, NULL), iif(due < 0, -due, NULL), expires, started, finished, timeout, options, x'', NULL
FROM tasks JOIN routes USING (route) WHERE /*conditions*/ ORDER BY seq DESC LIMIT ?

-- name: created
SELECT created FROM tasks WHERE seq = ?

-- name: facts
SELECT seq, failures, crashes, cancel, options FROM json_each(?) AS numbers CROSS JOIN tasks ON tasks.seq = numbers.value

-- name: attempts
SELECT attempt, host, outcome, started, ended, body, version
FROM attempts LEFT JOIN workers USING (worker) WHERE seq = ? AND attempt < ? ORDER BY attempt DESC LIMIT ?

-- name: attempts_before
SELECT count(*) FROM attempts WHERE seq = ? AND attempt < ?

-- name: outcome_of_lease
SELECT outcome FROM attempts WHERE seq = ? AND lease = ?

-- name: count_ahead
SELECT count(*) FROM (
    SELECT 1 FROM tasks WHERE state = {state.READY} AND route = :route AND priority > :priority
    UNION ALL
    SELECT 1 FROM tasks WHERE state = {state.READY} AND route = :route AND priority = :priority AND seq < :seq
    LIMIT :limit
)

-- name: ready_in
SELECT priority, seq, seq + 1, created, deadline FROM tasks WHERE state = {state.READY} AND route = ? LIMIT ?

-- name: oldest_ready
-- The first of each priority in the index, of which there are at most 201.
WITH RECURSIVE levels (priority) AS (
    SELECT max(priority) FROM tasks WHERE state = {state.READY} AND route = :route
    UNION ALL
    SELECT (SELECT max(priority) FROM tasks WHERE state = {state.READY} AND route = :route AND priority < levels.priority)
    FROM levels WHERE levels.priority IS NOT NULL
)
SELECT created FROM tasks WHERE seq = (
    SELECT min((SELECT min(seq) FROM tasks WHERE state = {state.READY} AND route = :route AND priority = levels.priority))
    FROM levels WHERE priority IS NOT NULL
)

-- name: brief
SELECT seq, id, queue, task, state, priority, attempt, returned, failures, crashes, cancel, worker,
       created, iif(due >= 0, due, NULL), iif(due < 0, -due, NULL), expires, started, finished, timeout, options, x'', NULL
FROM tasks JOIN routes USING (route) WHERE seq = ?
