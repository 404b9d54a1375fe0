-- name: add_schedule
INSERT INTO schedules (name, key, base, declared, created, last, fires) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING schedule

-- name: schedule_by_name
SELECT schedule, name, key, base, edits, declared, created, last, fires, fired, paused, reason, since, orphaned
FROM schedules WHERE name = ?

-- name: schedules_after
SELECT schedule, name, key, base, edits, declared, created, last, fires, fired, paused, reason, since, orphaned
FROM schedules WHERE schedule > ? ORDER BY schedule LIMIT ?

-- name: schedule_by_number
SELECT schedule, name, key, base, edits, declared, created, last, fires, fired, paused, reason, since, orphaned
FROM schedules WHERE schedule = ?

-- name: count_schedules
SELECT key, count(*) FROM schedules GROUP BY key

-- name: put_schedule
UPDATE schedules
SET name = :name, key = :key, base = :base, edits = :edits, declared = :declared, created = :created, last = :last,
    fires = :fires, fired = :fired, paused = :paused, reason = :reason, since = :since, orphaned = :orphaned
WHERE schedule = :number

-- name: remove_schedule
DELETE FROM schedules WHERE schedule = ?

-- name: remove_occurrences
DELETE FROM occurrences WHERE schedule = ?

-- name: next_fire
SELECT min(fires) FROM schedules WHERE fires IS NOT NULL

-- name: schedules_due
SELECT schedule, name, key, base, edits, declared, created, last, fires, fired, paused, reason, since, orphaned
FROM schedules WHERE fires IS NOT NULL AND fires <= ? ORDER BY fires LIMIT ?

-- name: schedule_decided
UPDATE schedules SET last = ?, fires = ?, fired = fired + ? WHERE schedule = ?

-- name: schedules_declared
SELECT schedule, name, key, base, edits, declared, created, last, fires, fired, paused, reason, since, orphaned
FROM schedules WHERE schedule > ? AND declared = 1 AND orphaned IS NULL ORDER BY schedule LIMIT ?

-- name: next_orphan
SELECT min(orphaned) FROM schedules WHERE orphaned IS NOT NULL AND fires IS NOT NULL

-- name: schedules_orphaned
SELECT schedule, name, key, base, edits, declared, created, last, fires, fired, paused, reason, since, orphaned
FROM schedules WHERE orphaned IS NOT NULL AND fires IS NOT NULL AND orphaned <= ? ORDER BY orphaned LIMIT ?

-- name: record_occurrence
INSERT OR REPLACE INTO occurrences
    (schedule, instant, kind, first, instants, decided, task, held, state, started, finished, why)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: occurrences
SELECT schedule, instant, kind, first, instants, decided, task, held, state, started, finished, why
FROM occurrences WHERE schedule = ? ORDER BY instant DESC, kind LIMIT ?

-- name: occurred
SELECT instant, task FROM occurrences WHERE schedule = ? AND instant BETWEEN ? AND ? AND kind IN (0, 2)

-- name: unfinished_occurrences
SELECT task FROM occurrences WHERE schedule = ? AND state IS NULL AND held = 0 ORDER BY instant LIMIT ?

-- name: held_occurrences
SELECT schedule, instant, kind, first, instants, decided, task, held, state, started, finished, why
FROM occurrences WHERE schedule = ? AND state IS NULL AND held = 1 ORDER BY instant, kind LIMIT ?

-- name: any_unfinished_occurrence
SELECT 1 FROM occurrences WHERE state IS NULL LIMIT 1

-- name: occurrence_of_task
SELECT schedule, instant, kind, first, instants, decided, task, held, state, started, finished, why
FROM occurrences WHERE task = ?

-- name: holding_schedules
SELECT DISTINCT schedule FROM occurrences WHERE state IS NULL AND held = 1

-- name: occurrence_ended
UPDATE occurrences SET state = ?, started = ?, finished = ? WHERE task = ?

-- name: forget_occurrences
DELETE FROM occurrences
WHERE schedule = :schedule AND state IS NOT NULL AND instant <= (
    SELECT instant FROM occurrences WHERE schedule = :schedule AND state IS NOT NULL
    ORDER BY instant DESC LIMIT 1 OFFSET :keep
)
