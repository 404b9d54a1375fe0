-- name: read_counts
SELECT route, state, tasks, bytes FROM counts WHERE tasks <> 0 OR bytes <> 0

-- name: add_counts
INSERT INTO counts (route, state, tasks, bytes) VALUES (?, ?, ?, ?)
ON CONFLICT (route, state) DO UPDATE SET tasks = tasks + excluded.tasks, bytes = bytes + excluded.bytes

-- name: kept_bytes
SELECT coalesce(sum(bytes), 0) FROM counts

-- name: measure
SELECT route, state, length(payload) + ifnull(length(result), 0) FROM tasks WHERE seq = ? AND finished IS NOT NULL

-- name: measure_many
SELECT route, state, count(*), sum(length(payload) + ifnull(length(result), 0))
FROM json_each(?) AS numbers CROSS JOIN tasks ON tasks.seq = numbers.value
WHERE finished IS NOT NULL
GROUP BY route, state

-- name: recount_tasks
SELECT route, state, count(*), sum(length(payload) + ifnull(length(result), 0))
FROM tasks WHERE finished IS NOT NULL GROUP BY route, state

-- name: recount_slices
-- Of the arguments of an array each of its tasks has an equal share, in whole bytes that add up to all of them.
SELECT route, state, sum(slices.stop - slices.seq), sum(
    length(payloads) * (slices.stop - array) / (arrays.stop - array)
    - length(payloads) * (slices.seq - array) / (arrays.stop - array)
    + ifnull(length(results), 0))
FROM slices JOIN arrays ON arrays.seq = slices.array
WHERE finished IS NOT NULL
GROUP BY route, state
