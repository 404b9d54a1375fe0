-- name: limits
SELECT name, key, declared, edits, since FROM limits ORDER BY name

-- name: put_limit
INSERT INTO limits (name, key, declared, edits, since) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    key = excluded.key, declared = excluded.declared, edits = excluded.edits, since = excluded.since

-- name: drop_limit
DELETE FROM limits WHERE name = ?

-- name: buckets
SELECT name, key, level, ms, at, full_at FROM limit_buckets

-- name: put_bucket
INSERT INTO limit_buckets (name, key, level, ms, at, full_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (name, key) DO UPDATE SET
    level = excluded.level, ms = excluded.ms, at = excluded.at, full_at = excluded.full_at

-- name: drop_buckets
DELETE FROM limit_buckets WHERE name = ?

-- name: drop_full_buckets
DELETE FROM limit_buckets WHERE (name, key) IN (
    SELECT name, key FROM limit_buckets INDEXED BY limit_buckets_full WHERE full_at <= ? LIMIT ?
)
