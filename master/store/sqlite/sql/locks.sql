-- name: syncs
SELECT sync, family, name, kind, size, owner, value, counter FROM syncs

-- name: claims
SELECT sync, token, node, held, number FROM claims ORDER BY claim

-- name: add_sync
INSERT INTO syncs (family, name, kind, size, owner, value, counter) VALUES (?, ?, ?, ?, ?, ?, 0) RETURNING sync

-- name: set_sync
UPDATE syncs SET value = ?, counter = ? WHERE sync = ?

-- name: drop_sync
DELETE FROM syncs WHERE sync = ?

-- name: drop_claims
DELETE FROM claims WHERE sync = ?

-- name: add_claim
INSERT INTO claims (sync, token, node, held, number) VALUES (?, ?, ?, ?, ?)

-- name: end_claim
UPDATE claims SET held = 0, number = ? WHERE sync = ? AND token = ? AND held = 1

-- name: delete_claim
DELETE FROM claims WHERE sync = ? AND token = ?
