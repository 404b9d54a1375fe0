-- Tasks that are the same by a key.

-- name: unique_of
SELECT route, key, id, states, until FROM uniques WHERE route = ? AND key = ?

-- name: put_unique
INSERT INTO uniques (route, key, id, states, until) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (route, key) DO UPDATE SET id = excluded.id, states = excluded.states, until = excluded.until

-- name: uniques_behind
SELECT max(number), count(*) FROM (SELECT number FROM uniques WHERE number > ? ORDER BY number LIMIT ?)

-- name: forget_uniques
-- Their time is over, or their task is deleted or has ended in a state that is no conflict.
DELETE FROM uniques WHERE number > :after AND number <= :upto AND (
    until <= :now OR NOT EXISTS (
        SELECT 1 FROM tasks
        WHERE tasks.id = uniques.id AND (state < {state.SUCCEEDED} OR (uniques.states >> state) & 1)
    )
)
