-- Arrays of tasks, and their slices. A task that leaves its array gets a row in tasks with the same number.

-- name: add_array
INSERT INTO arrays (seq, stop, id, created, timeout, options, origin, payloads, lanes, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_slice
INSERT INTO slices (seq, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started)
VALUES (:seq, :stop, :seq, :ttl, :deadline, :route, :state, :priority, :attempt, 0, :lease, :worker, :due, :expires, :started)

-- name: array_upto_id
SELECT seq, stop, id FROM arrays WHERE id <= ? ORDER BY id DESC LIMIT 1

-- name: array_of
SELECT id, created, timeout, options, origin, stop, length(payloads) FROM arrays WHERE seq = ?

-- name: lanes_of_array
SELECT seq, id, lanes FROM arrays WHERE seq = (SELECT max(seq) FROM arrays WHERE seq <= :seq) AND stop > :seq

-- name: tags_upto
SELECT seq, stop, tags FROM arrays WHERE seq <= ? ORDER BY seq DESC LIMIT 1

-- name: waiting_in
-- Each state by its own index.
SELECT seq, stop, state FROM slices WHERE state = {state.READY} AND route = :route
UNION ALL SELECT seq, stop, state FROM slices WHERE state = {state.SCHEDULED} AND +route = :route
UNION ALL SELECT seq, stop, state FROM slices WHERE state = {state.BLOCKED} AND route = :route
UNION ALL SELECT seq, seq + 1, state FROM tasks WHERE state = {state.READY} AND route = :route
UNION ALL SELECT seq, seq + 1, state FROM tasks WHERE state = {state.SCHEDULED} AND +route = :route
UNION ALL SELECT seq, seq + 1, state FROM tasks WHERE state = {state.BLOCKED} AND route = :route

-- name: payload_size
SELECT length(payload) FROM tasks WHERE seq = ?

-- name: array_payloads
SELECT payloads FROM arrays WHERE seq = ?

-- name: any_id_between
SELECT EXISTS (SELECT 1 FROM tasks WHERE id BETWEEN ? AND ?)

-- name: slice_upto
SELECT seq, stop, array, route, state, priority, attempt, returned, lease, worker, due, expires, started, finished
FROM slices WHERE seq <= ? ORDER BY seq DESC LIMIT 1

-- name: slices_around
-- Those that some tasks may be in.
SELECT seq, stop, array, route, state, priority, attempt, returned, lease, worker, due, expires, started, finished
FROM slices WHERE seq IN (SELECT (SELECT max(seq) FROM slices WHERE seq <= value) FROM json_each(?)) ORDER BY seq

-- name: slices_over
-- Those that tasks of some runs may be in: [[first, the one behind the last], ...].
SELECT seq, stop, array, route, state, priority, attempt, returned, lease, worker, due, expires, started, finished
FROM slices WHERE seq IN (
    SELECT (SELECT max(seq) FROM slices WHERE seq <= json_extract(run.value, '$[0]')) FROM json_each(:runs) AS run
    UNION ALL
    SELECT next.seq FROM json_each(:runs) AS run CROSS JOIN slices AS next
    WHERE next.seq > json_extract(run.value, '$[0]') AND next.seq < json_extract(run.value, '$[1]')
) ORDER BY seq

-- name: slices_before
-- Newest first, without their results.
SELECT seq, stop, array, route, state, priority, attempt, returned, lease, worker, due, expires, started, finished
FROM slices WHERE seq < ? ORDER BY seq DESC LIMIT ?

-- name: results_size
SELECT ifnull(length(results), 0) FROM slices WHERE seq = ?

-- name: slices_of_state_before
SELECT seq, stop, array, route, state, priority, attempt, returned, lease, worker, due, expires, started, finished
FROM slices WHERE state > {state.SUCCEEDED} AND state = ? AND seq < ? ORDER BY seq DESC LIMIT ?

-- name: slice_results
SELECT seconds, results FROM slices WHERE seq = ?

-- name: ready_slices
SELECT priority, seq, stop, array FROM slices
WHERE state = {state.READY} AND route = ? ORDER BY priority DESC, seq LIMIT ?

-- name: next_level_of_slices
SELECT max(priority) FROM slices WHERE state = {state.READY} AND route = ? AND priority < ?

-- name: oldest_slices
SELECT priority, slices.seq, slices.stop, array, created, deadline FROM slices JOIN arrays ON arrays.seq = array
WHERE state = {state.READY} AND route = ? AND priority = ? ORDER BY slices.seq LIMIT ?

-- name: newest_slices
SELECT priority, slices.seq, slices.stop, array, created, deadline FROM slices JOIN arrays ON arrays.seq = array
WHERE state = {state.READY} AND route = ? AND priority = ? ORDER BY slices.seq DESC LIMIT ?

-- name: urgent_slices
SELECT priority, slices.seq, slices.stop, array, created, deadline FROM slices JOIN arrays ON arrays.seq = array
WHERE state = {state.READY} AND deadline IS NOT NULL AND route = ? AND priority = ? ORDER BY deadline, slices.seq LIMIT ?

-- name: ready_slices_between
SELECT priority, seq, stop, array FROM slices
WHERE seq < :stop AND stop > :seq AND +state = {state.READY}
    AND seq >= ifnull((SELECT max(seq) FROM slices WHERE seq <= :seq), :seq)
ORDER BY seq

-- name: split_slice
-- The tasks from :at on become a slice of their own, without results: the caller writes those of both parts.
INSERT INTO slices (seq, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started, finished)
SELECT :at, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started, finished
FROM slices WHERE seq = :seq AND stop > :at

-- name: shorten_slice
UPDATE slices SET stop = :stop, seconds = :seconds, results = :results WHERE seq = :seq AND stop >= :stop

-- name: copy_slice
-- A piece of a slice, which is a slice of its own now.
INSERT INTO slices (seq, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started,
    finished, seconds, results)
SELECT :start, :stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started, finished,
    :seconds, :results
FROM slices WHERE seq = :seq

-- name: copy_pieces
-- Several pieces of a slice without results: [[first, the one behind the last], ...].
INSERT INTO slices (seq, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started, finished)
SELECT json_extract(piece.value, '$[0]'), json_extract(piece.value, '$[1]'), array, ttl, deadline, route, state, priority, attempt, returned,
    lease, worker, due, expires, started, finished
FROM json_each(:pieces) AS piece JOIN slices ON slices.seq = :seq

-- name: lease_slice
-- moves: READY to RUNNING
UPDATE slices SET state = {to}, stop = :stop, attempt = attempt + 1, lease = :lease, worker = :worker, started = :now, due = NULL
WHERE seq = :seq AND {from} AND stop >= :stop
RETURNING route, attempt, returned

-- name: lease_first
-- moves: READY to RUNNING
-- The same, when what it was is known.
UPDATE slices SET state = {to}, stop = :stop, attempt = attempt + 1, lease = :lease, worker = :worker, started = :now, due = NULL
WHERE seq = :seq AND {from} AND stop >= :stop

-- name: lease_piece
-- moves: READY to RUNNING
-- Tasks of a ready slice: they become a slice of their own.
INSERT INTO slices (seq, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, expires, started)
SELECT :seq, :stop, array, ttl, deadline, route, {to}, priority, attempt + 1, returned, :lease, :worker, expires, :now
FROM slices WHERE seq = :head AND {from} AND stop >= :stop

-- name: succeed_slice
-- moves: RUNNING to SUCCEEDED
-- The first tasks of a leased slice, or all of them.
UPDATE slices SET state = {to}, stop = :stop, finished = :finished, seconds = :seconds, results = :results
WHERE seq = :first AND stop = :end AND {from} AND attempt = :attempt AND lease = :lease
RETURNING route, array

-- name: succeed_piece
-- moves: RUNNING to SUCCEEDED
-- Others of its tasks: they become a slice of their own.
INSERT INTO slices (seq, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started,
    finished, seconds, results)
SELECT :seq, :stop, array, ttl, deadline, route, {to}, priority, attempt, returned, lease, worker, due, expires, started,
    :finished, :seconds, :results
FROM slices WHERE seq = :first AND stop = :end AND {from} AND attempt = :attempt AND lease = :lease
RETURNING route, array

-- name: succeed_pieces
-- moves: RUNNING to SUCCEEDED
-- The same for several of them: [[first, the one behind the last, where its seconds begin, their bytes, its results, their bytes], ...].
INSERT INTO slices (seq, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started,
    finished, seconds, results)
SELECT json_extract(piece.value, '$[0]'), json_extract(piece.value, '$[1]'), array, ttl, deadline, route, {to}, priority, attempt, returned,
    lease, worker, due, expires, started, :finished,
    substr(:seconds, json_extract(piece.value, '$[2]'), json_extract(piece.value, '$[3]')),
    substr(:results, json_extract(piece.value, '$[4]'), json_extract(piece.value, '$[5]'))
FROM json_each(:pieces) AS piece JOIN slices ON slices.seq = :first
WHERE stop = :end AND {from} AND attempt = :attempt AND lease = :lease

-- name: leased_pieces
-- Those between them stay leased, as slices of their own.
INSERT INTO slices (seq, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started)
SELECT json_extract(piece.value, '$[0]'), json_extract(piece.value, '$[1]'), array, ttl, deadline, route, state, priority, attempt, returned,
    lease, worker, due, expires, started
FROM json_each(:pieces) AS piece JOIN slices ON slices.seq = :first
WHERE stop = :end AND state = {state.RUNNING} AND attempt = :attempt AND lease = :lease

-- name: shorten_leased
UPDATE slices SET stop = :stop
WHERE seq = :first AND stop = :end AND state = {state.RUNNING} AND attempt = :attempt AND lease = :lease
RETURNING route, array

-- name: leased_behind
-- Those behind them stay leased, as a slice of their own.
INSERT INTO slices (seq, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started)
SELECT :stop, stop, array, ttl, deadline, route, state, priority, attempt, returned, lease, worker, due, expires, started
FROM slices WHERE seq = :first AND stop = :end AND state = {state.RUNNING} AND attempt = :attempt AND lease = :lease
RETURNING seq

-- name: leased_before
UPDATE slices SET stop = ? WHERE seq = ? AND state = {state.RUNNING}

-- name: promote_slice
-- moves: SCHEDULED to READY
UPDATE slices SET state = {to}, due = NULL WHERE seq = ? AND {from}

-- name: return_slice
-- moves: RUNNING to READY
UPDATE slices SET state = {to}, stop = :stop, returned = returned + 1, started = NULL
WHERE seq = :seq AND stop >= :stop AND {from} AND attempt = :attempt AND lease = :lease

-- name: results_sizes
SELECT seq, ifnull(length(results), 0) FROM slices WHERE seq IN (SELECT value FROM json_each(?))

-- name: delete_slices
DELETE FROM slices WHERE seq IN (SELECT value FROM json_each(?))

-- name: delete_slice
DELETE FROM slices WHERE seq = ?

-- name: insert_single
-- A task leaves its array as it is: it changes no state.
INSERT INTO tasks
    (seq, id, payload, route, state, attempt, returned, lease, worker, created, started, finished,
     priority, due, expires, timeout, options, origin, result, failures, crashes, cancel, ttl, deadline)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, (SELECT ttl FROM slices WHERE seq = ?20),
    (SELECT deadline FROM slices WHERE seq = ?20))

-- name: end_in_slice
-- moves: RUNNING to :state
-- A task leaves the leased slice that it is in, because its attempt did not succeed.
INSERT INTO tasks
    (seq, id, payload, route, state, attempt, returned, lease, worker, created, started, finished,
     priority, due, expires, timeout, options, origin, result, failures, crashes, cancel, ttl, deadline)
SELECT :seq, :id, :payload, route, {to}, attempt, returned, lease, worker, :created, :started, :finished,
     priority, :due, expires, :timeout, :options, :origin, :body, :failures, :crashes, 0, ttl, deadline
FROM slices WHERE seq = :slice AND {from} AND attempt = :attempt AND lease = :lease

-- name: running_slices
SELECT seq, stop, array, route, attempt, returned, lease, worker, started FROM slices WHERE state = {state.RUNNING}

-- name: slices_due
SELECT seq, route, stop FROM slices WHERE state = {state.SCHEDULED} AND due BETWEEN 0 AND ? ORDER BY due LIMIT ?

-- name: slices_due_at
SELECT seq, route, stop FROM slices WHERE state = {state.SCHEDULED} AND due BETWEEN -? AND -1 ORDER BY due DESC LIMIT ?

-- name: next_due_slice
SELECT min(due) FROM slices WHERE state = {state.SCHEDULED} AND due >= 0

-- name: next_at_slice
SELECT -max(due) FROM slices WHERE state = {state.SCHEDULED} AND due < 0

-- name: cancel_slice
-- moves: waiting to CANCELLED
UPDATE slices SET state = {to}, stop = :stop, finished = :now, due = NULL WHERE seq = :seq AND stop >= :stop AND {from}

-- name: expire_slice
-- moves: ?3 to EXPIRED
UPDATE slices SET state = {to}, finished = ?1, due = NULL WHERE seq = ?2 AND {from}

-- name: slices_overdue
SELECT seq, stop, array, route, state FROM slices
WHERE expires IS NOT NULL AND state < {state.RUNNING} AND expires <= ? ORDER BY expires LIMIT ?

-- name: next_slice_expiry
SELECT min(expires) FROM slices WHERE expires IS NOT NULL AND state < {state.RUNNING}

-- name: count_slices_waiting
SELECT route, state, sum(stop - seq) FROM slices WHERE state = {state.READY} GROUP BY route
UNION ALL
SELECT route, state, sum(stop - seq) FROM slices WHERE state = {state.SCHEDULED} GROUP BY route

-- name: last_slice_stop
SELECT coalesce(max(stop), 1) FROM arrays

-- name: slices_ahead
SELECT seq, stop FROM slices WHERE state = {state.READY} AND route = :route AND priority > :priority
UNION ALL
SELECT seq, min(stop, :seq) FROM slices WHERE state = {state.READY} AND route = :route AND priority = :priority AND seq < :seq
LIMIT :limit

-- name: ready_slices_in
SELECT priority, slices.seq, slices.stop, created, deadline FROM slices JOIN arrays ON arrays.seq = array
WHERE state = {state.READY} AND route = ? LIMIT ?

-- name: oldest_ready_slice
-- As oldest_ready: the first of each priority.
WITH RECURSIVE levels (priority) AS (
    SELECT max(priority) FROM slices WHERE state = {state.READY} AND route = :route
    UNION ALL
    SELECT (SELECT max(priority) FROM slices WHERE state = {state.READY} AND route = :route AND priority < levels.priority)
    FROM levels WHERE levels.priority IS NOT NULL
)
SELECT seq FROM slices WHERE seq = (
    SELECT min((SELECT min(seq) FROM slices WHERE state = {state.READY} AND route = :route AND priority = levels.priority))
    FROM levels WHERE priority IS NOT NULL
)

-- name: route_names
SELECT queue, task FROM routes WHERE route = ?
