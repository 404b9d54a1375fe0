-- name: limits
SELECT name, key, declared, edits, since FROM limits ORDER BY name

-- name: put_limit
INSERT INTO limits (name, key, declared, edits, since) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    key = excluded.key, declared = excluded.declared, edits = excluded.edits, since = excluded.since

-- name: drop_limit
DELETE FROM limits WHERE name = ?
