-- name: strikes
SELECT strike, condition, reason, key, since, until, comparing FROM strikes ORDER BY strike

-- name: add_strike
INSERT INTO strikes (condition, reason, key, since, until, comparing) VALUES (?, ?, ?, ?, ?, ?) RETURNING strike

-- name: change_strike
UPDATE strikes SET reason = ?, key = ?, since = ?, until = ?, comparing = ? WHERE strike = ?

-- name: drop_strike
DELETE FROM strikes WHERE strike = ?

-- name: ready_rows_after
SELECT priority, seq, seq + 1, route, options, 0 FROM tasks
WHERE state = {state.READY} AND route = ? AND priority = ? AND seq > ? ORDER BY seq LIMIT ?

-- name: ready_slices_after
SELECT priority, slices.seq, slices.stop, route, options, 1 FROM slices JOIN arrays ON arrays.seq = array
WHERE state = {state.READY} AND route = ? AND priority = ? AND slices.seq > ? ORDER BY slices.seq LIMIT ?

-- name: ready_rows_over
-- By number, of which there are few: not by the state, of which there may be many.
SELECT priority, seq, seq + 1, route, options, 0 FROM json_each(?) AS run
CROSS JOIN tasks ON seq >= json_extract(run.value, '$[0]') AND seq < json_extract(run.value, '$[1]')
WHERE +state = {state.READY} ORDER BY seq

-- name: ready_slices_over
-- The slice that a run begins in, and those that begin inside of it.
SELECT DISTINCT priority, slices.seq, slices.stop, route, options, 1 FROM json_each(?) AS run
CROSS JOIN slices ON slices.seq < json_extract(run.value, '$[1]')
    AND slices.seq >= ifnull((SELECT max(seq) FROM slices WHERE seq <= json_extract(run.value, '$[0]')), 0)
JOIN arrays ON arrays.seq = array
WHERE slices.stop > json_extract(run.value, '$[0]') AND +state = {state.READY} ORDER BY slices.seq

-- name: change_lane_of_row
UPDATE tasks SET route = ? WHERE seq = ? AND route = ? AND state = {state.READY}

-- name: change_lane_of_slice
UPDATE slices SET route = ? WHERE seq = ? AND stop = ? AND route = ? AND state = {state.READY}
