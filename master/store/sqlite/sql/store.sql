-- What a master takes up when it starts, and its own notes.

-- name: get_meta
SELECT value FROM meta WHERE name = ?

-- name: set_meta
INSERT INTO meta (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: running
SELECT seq, id, route, attempt, returned, lease, worker, cancel, started, origin, options FROM tasks WHERE state = {state.RUNNING}

-- name: count_ready
SELECT route, {state.READY}, count(*) FROM tasks WHERE state = {state.READY} GROUP BY route

-- name: count_scheduled
SELECT route, {state.SCHEDULED}, count(*) FROM tasks WHERE state = {state.SCHEDULED} GROUP BY route

-- name: last_seq
SELECT coalesce(max(seq), 0) FROM tasks
