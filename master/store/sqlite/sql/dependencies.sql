-- name: any_dependent
SELECT EXISTS (SELECT 1 FROM dependents)

-- name: add_dependent
INSERT INTO dependents (seq, stop, id, each, needed, minimum, left, missed, culprit, delay, at, open, ripe, queues)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_need
INSERT INTO needs (seq, place, first, length) VALUES (?, ?, ?, ?)

-- name: open_dependents
SELECT seq, stop, id, each, needed, minimum, left, missed, culprit, delay, at, open, ripe, queues
FROM dependents WHERE open > 0 ORDER BY seq

-- name: open_needs
SELECT needs.seq, first, length FROM dependents JOIN needs ON needs.seq = dependents.seq WHERE open > 0
ORDER BY needs.seq, place

-- name: dependent_upto
SELECT seq, stop, id, each, needed, minimum, left, missed, culprit, delay, at, open, ripe, queues
FROM dependents WHERE seq <= ? ORDER BY seq DESC LIMIT 1

-- name: needs_of
SELECT first, length FROM needs WHERE seq = ? ORDER BY place

-- name: advance_dependent
UPDATE dependents SET left = ?, missed = ?, culprit = ?, open = ?, ripe = ? WHERE seq = ?

-- name: state_of
SELECT route, state FROM tasks WHERE id = ?

-- name: states_between
SELECT id, route, state FROM tasks WHERE id BETWEEN ? AND ? ORDER BY id

-- name: arrays_upto_id
SELECT seq, stop, id FROM arrays WHERE id <= :last AND id >= ifnull(
    (SELECT max(id) FROM arrays WHERE id <= :first), :first)
ORDER BY id

-- name: slice_states
SELECT max(seq, :seq), min(stop, :stop), route, state FROM slices
WHERE seq < :stop AND stop > :seq AND seq >= ifnull((SELECT max(seq) FROM slices WHERE seq <= :seq), :seq) ORDER BY seq

-- name: times_between
SELECT min(started), max(finished) FROM tasks WHERE id BETWEEN ? AND ? AND finished IS NOT NULL

-- name: slice_times
SELECT min(started), max(finished) FROM slices
WHERE seq < :stop AND stop > :seq AND seq >= ifnull((SELECT max(seq) FROM slices WHERE seq <= :seq), :seq) AND finished IS NOT NULL

-- name: unblock
-- moves: BLOCKED to :state
-- One that became another is blocked for that, and not for what it needed before it ran.
UPDATE tasks SET state = {to}, due = :due WHERE seq >= :seq AND seq < :stop AND {from}
    AND NOT EXISTS (SELECT 1 FROM becomings WHERE becomings.seq = tasks.seq)
RETURNING seq, route

-- name: unblock_slice
-- moves: BLOCKED to :state
UPDATE slices SET state = {to}, stop = :stop, due = :due WHERE seq = :seq AND stop >= :stop AND {from}

-- name: fall
-- moves: BLOCKED to FAILED
UPDATE tasks SET state = {to}, result = :body, finished = :now, due = NULL
WHERE seq >= :seq AND seq < :stop AND {from}
    AND NOT EXISTS (SELECT 1 FROM becomings WHERE becomings.seq = tasks.seq)
RETURNING seq, id, route, origin

-- name: revive_blocked
-- moves: ended to BLOCKED
UPDATE tasks
SET state = {to}, failures = 0, crashes = 0, cancel = 0, finished = NULL, result = NULL, expires = NULL
WHERE seq = ? AND {from}

-- name: blocked_slices
SELECT seq, stop FROM slices
WHERE seq < :stop AND stop > :seq AND state = {state.BLOCKED}
    AND seq >= ifnull((SELECT max(seq) FROM slices WHERE seq <= :seq), :seq)

-- name: forget_dependents
-- Those of a range of tasks of which none is left.
DELETE FROM dependents
WHERE seq < :stop AND seq >= ifnull((SELECT max(seq) FROM dependents WHERE seq <= :seq), :seq)
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.seq >= dependents.seq AND tasks.seq < dependents.stop)
    AND ifnull((SELECT slices.stop FROM slices WHERE slices.seq < dependents.stop ORDER BY slices.seq DESC LIMIT 1), 0)
        <= dependents.seq
RETURNING seq

-- name: forget_needs
DELETE FROM needs WHERE seq = ?

-- name: count_blocked
SELECT route, state, count(*) FROM tasks WHERE state = {state.BLOCKED} GROUP BY route

-- name: count_slices_blocked
SELECT route, state, sum(stop - seq) FROM slices WHERE state = {state.BLOCKED} GROUP BY route

-- name: any_parent
SELECT EXISTS (SELECT 1 FROM parents)

-- name: add_parent
INSERT INTO parents (seq, stop, id, parent) VALUES (?, ?, ?, ?)

-- name: children_of
SELECT id, stop - seq FROM parents WHERE parent BETWEEN ? AND ? ORDER BY parent, seq

-- name: parent_upto
SELECT stop, parent FROM parents WHERE seq <= ? ORDER BY seq DESC LIMIT 1

-- name: forget_parents
-- Those of a range of tasks of which none is left.
DELETE FROM parents
WHERE seq < :stop AND seq >= ifnull((SELECT max(seq) FROM parents WHERE seq <= :seq), :seq)
    AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.seq >= parents.seq AND tasks.seq < parents.stop)
    AND ifnull((SELECT slices.stop FROM slices WHERE slices.seq < parents.stop ORDER BY slices.seq DESC LIMIT 1), 0)
        <= parents.seq

-- name: any_becoming
SELECT EXISTS (SELECT 1 FROM becomings)

-- name: add_becoming
INSERT INTO becomings (seq, other) VALUES (?, ?)

-- name: open_becomings
SELECT tasks.seq, tasks.id, other FROM tasks CROSS JOIN becomings ON becomings.seq = tasks.seq
WHERE tasks.state = {state.BLOCKED} ORDER BY tasks.seq

-- name: becoming_of
SELECT other FROM becomings WHERE seq = ?

-- name: forget_becomings
DELETE FROM becomings WHERE seq >= ? AND seq < ?

-- name: end_as_other
-- moves: BLOCKED to :state
UPDATE tasks SET state = {to}, result = :body, finished = :now, due = NULL WHERE seq = :seq AND {from}
RETURNING seq, seq + 1, id, route, origin
