-- name: add_flow
INSERT INTO flows (id, name, key, node, collects, state, created) VALUES (?, ?, ?, ?, ?, ?, ?)
RETURNING flow, id, name, key, node, collects, state, ending, reason, work, place, run, total, succeeded, failed, cancelled,
    culprit, created, finished

-- name: flow_by_id
SELECT flow, id, name, key, node, collects, state, ending, reason, work, place, run, total, succeeded, failed, cancelled,
       culprit, created, finished
FROM flows WHERE id = ?

-- name: flow_by_number
SELECT flow, id, name, key, node, collects, state, ending, reason, work, place, run, total, succeeded, failed, cancelled,
       culprit, created, finished
FROM flows WHERE flow = ?

-- name: put_flow
UPDATE flows
SET node = :node, state = :state, ending = :ending, reason = :reason, work = :work, place = :place, run = :run, total = :total,
    succeeded = :succeeded, failed = :failed, cancelled = :cancelled, culprit = :culprit, finished = :finished
WHERE flow = :number

-- name: unfinished_flows
SELECT flow, id, name, key, node, collects, state, ending, reason, work, place, run, total, succeeded, failed, cancelled,
       culprit, created, finished
FROM flows WHERE finished IS NULL OR work > 0 ORDER BY flow

-- name: flows_before
SELECT flow, id, name, key, node, collects, state, ending, reason, work, place, run, total, succeeded, failed, cancelled,
       culprit, created, finished
FROM flows WHERE flow < ? ORDER BY flow DESC LIMIT ?

-- name: flows_between
SELECT flow, id, name, key, node, collects, state, ending, reason, work, place, run, total, succeeded, failed, cancelled,
       culprit, created, finished
FROM flows WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?

-- name: flow_neighbours
SELECT (SELECT max(id) FROM flows WHERE id < :id), (SELECT min(id) FROM flows WHERE id > :id)

-- name: add_flow_members
INSERT INTO flow_members (flow, place, id, tasks) VALUES (?, ?, ?, ?)

-- name: flow_members_from
SELECT flow, place, id, tasks FROM flow_members
WHERE flow = :flow AND place >= coalesce(
    (SELECT max(place) FROM flow_members WHERE flow = :flow AND place <= :place), 0
)
ORDER BY place LIMIT :limit

-- name: add_flow_queue
INSERT OR IGNORE INTO flow_queues (flow, queue) VALUES (?, ?)

-- name: flow_queues
SELECT queue FROM flow_queues WHERE flow = ?

-- name: add_flow_callback
INSERT OR IGNORE INTO flow_callbacks (flow, token, kind, queue, task, options, run, columns)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: count_flow_callbacks
SELECT count(*) FROM flow_callbacks WHERE flow = ? AND token <> ?

-- name: flow_callbacks_left
SELECT flow, token, kind, queue, task, options, run, columns
FROM flow_callbacks WHERE flow = ? AND run < ? ORDER BY run, token LIMIT ?

-- name: flow_callback_decided
UPDATE flow_callbacks SET run = ? WHERE flow = ? AND token = ?

-- name: flows_with_callbacks
SELECT DISTINCT flows.flow FROM flow_callbacks JOIN flows USING (flow)
WHERE flows.finished IS NOT NULL AND flow_callbacks.run < flows.run

-- name: oldest_flow
SELECT min(finished) FROM flows WHERE finished IS NOT NULL

-- name: old_flow
SELECT flow FROM flows WHERE finished IS NOT NULL AND finished < ? AND work = 0 ORDER BY finished LIMIT 1

-- name: forget_flow_members
DELETE FROM flow_members WHERE flow = :flow AND place IN (
    SELECT place FROM flow_members WHERE flow = :flow ORDER BY place LIMIT :limit
)
RETURNING 1

-- name: forget_flow_queues
DELETE FROM flow_queues WHERE flow = ?

-- name: forget_flow_callbacks
DELETE FROM flow_callbacks WHERE flow = ?

-- name: forget_flow
DELETE FROM flows WHERE flow = ?
