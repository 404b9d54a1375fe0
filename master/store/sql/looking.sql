-- What operators ask. Each visits at most so many rows as it is told, whatever the table holds.

-- name: count_ahead
SELECT count(*) FROM (
    SELECT 1 FROM tasks WHERE state = 0 AND lane = :lane AND priority > :priority
    UNION ALL
    SELECT 1 FROM tasks WHERE state = 0 AND lane = :lane AND priority = :priority AND seq < :seq
    LIMIT :limit
)

-- name: oldest_ready
-- The first of each priority in the index, of which there are at most 201.
WITH RECURSIVE levels (priority) AS (
    SELECT max(priority) FROM tasks WHERE state = 0 AND lane = :lane
    UNION ALL
    SELECT (SELECT max(priority) FROM tasks WHERE state = 0 AND lane = :lane AND priority < levels.priority)
    FROM levels WHERE levels.priority IS NOT NULL
)
SELECT created FROM tasks WHERE seq = (
    SELECT min((SELECT min(seq) FROM tasks WHERE state = 0 AND lane = :lane AND priority = levels.priority))
    FROM levels WHERE priority IS NOT NULL
)
