-- Arrays as wholes. All tasks of an array have one route: that of any of them that is left.

-- name: arrays_before
SELECT seq, stop, id, created, coalesce(
    (SELECT route FROM slices WHERE slices.seq >= arrays.seq AND slices.seq < arrays.stop LIMIT 1),
    (SELECT route FROM tasks WHERE tasks.seq >= arrays.seq AND tasks.seq < arrays.stop LIMIT 1)
), -1, options, origin, NULL
FROM arrays WHERE seq < ? ORDER BY seq DESC LIMIT ?

-- name: arrays_down
SELECT seq, stop, id, created, coalesce(
    (SELECT route FROM slices WHERE slices.seq >= arrays.seq AND slices.seq < arrays.stop LIMIT 1),
    (SELECT route FROM tasks WHERE tasks.seq >= arrays.seq AND tasks.seq < arrays.stop LIMIT 1)
), -1, options, origin, NULL
FROM arrays WHERE id < ? ORDER BY id DESC LIMIT ?

-- name: arrays_up
SELECT seq, stop, id, created, coalesce(
    (SELECT route FROM slices WHERE slices.seq >= arrays.seq AND slices.seq < arrays.stop LIMIT 1),
    (SELECT route FROM tasks WHERE tasks.seq >= arrays.seq AND tasks.seq < arrays.stop LIMIT 1)
), -1, options, origin, NULL
FROM arrays WHERE id >= ? ORDER BY id LIMIT ?

-- name: rows_before
SELECT seq, seq + 1, id, created, route, state, options, origin, worker FROM tasks WHERE seq >= ? AND seq < ? ORDER BY seq DESC LIMIT ?

-- name: rows_down
SELECT seq, seq + 1, id, created, route, state, options, origin, worker FROM tasks WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?

-- name: rows_up
SELECT seq, seq + 1, id, created, route, state, options, origin, worker FROM tasks WHERE id >= ? AND id < ? ORDER BY id LIMIT ?

-- name: spans_alone
SELECT seq, seq + 1, id, 0, route, state, created, origin, options, worker FROM tasks WHERE seq < ? ORDER BY seq DESC LIMIT ?

-- name: spans_together
SELECT slices.seq, slices.stop, arrays.id, slices.seq - slices.array, slices.route, slices.state, arrays.created, arrays.origin, arrays.options,
       slices.worker
FROM slices JOIN arrays ON arrays.seq = slices.array WHERE slices.seq < ? ORDER BY slices.seq DESC LIMIT ?

-- name: unsuccessful_alone
SELECT seq, seq + 1, id, 0, route, state, created, origin, options, worker FROM tasks
WHERE state > {state.SUCCEEDED} AND state = ? AND seq < ? ORDER BY seq DESC LIMIT ?

-- name: unsuccessful_together
SELECT slices.seq, slices.stop, arrays.id, slices.seq - slices.array, slices.route, slices.state, arrays.created, arrays.origin, arrays.options,
       slices.worker
FROM slices JOIN arrays ON arrays.seq = slices.array
WHERE state > {state.SUCCEEDED} AND state = ? AND slices.seq < ? ORDER BY slices.seq DESC LIMIT ?

-- name: total_slices
SELECT state, sum(stop - seq), count(*) FROM slices WHERE seq >= ? AND seq < ? GROUP BY state

-- name: total_rows
SELECT state, count(*), count(*) FROM tasks WHERE seq >= ? AND seq < ? GROUP BY state

-- name: failed_between
SELECT seq, id, route, state, created FROM tasks
WHERE seq >= ? AND seq < ? AND state IN ({state.FAILED}, {state.DEAD}, {state.LOST}) ORDER BY seq DESC LIMIT ?

-- name: bounds_of_flow
SELECT (SELECT min(seq) FROM tasks WHERE origin = :origin AND origin < 0),
       (SELECT max(seq) FROM tasks WHERE origin = :origin AND origin < 0),
       (SELECT min(seq) FROM arrays WHERE origin = :origin AND origin < 0),
       (SELECT stop FROM arrays WHERE origin = :origin AND origin < 0 ORDER BY seq DESC LIMIT 1)
