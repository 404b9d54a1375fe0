-- name: add_audited
INSERT INTO audit (at, last, key, address, node, method, target, calls, reached)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number

-- name: change_audited
UPDATE audit SET last = ?, target = ?, calls = ?, reached = ? WHERE number = ?

-- name: audited
SELECT number, at, last, key, address, node, method, target, calls, reached FROM audit
WHERE number < ?1 AND number >= coalesce((SELECT min(number) FROM audit WHERE at >= ?2), ?1)
ORDER BY number DESC LIMIT ?3

-- name: audited_of_key
SELECT number, at, last, key, address, node, method, target, calls, reached FROM audit
WHERE key = ?1 AND number < ?2 AND number >= coalesce((SELECT min(number) FROM audit WHERE at >= ?3), ?2)
ORDER BY number DESC LIMIT ?4

-- name: audited_counts
SELECT key, count(*) FROM audit GROUP BY key

-- name: oldest_audited
SELECT at FROM audit ORDER BY number LIMIT 1

-- name: forget_audited
DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE at < ? ORDER BY at LIMIT ?) RETURNING key

-- name: forget_oldest_audited
DELETE FROM audit WHERE number IN (SELECT number FROM audit ORDER BY number LIMIT ?) RETURNING key

-- name: forget_oldest_audited_of_key
DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE key = ? ORDER BY number LIMIT ?) RETURNING key
