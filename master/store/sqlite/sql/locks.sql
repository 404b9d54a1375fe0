-- name: primitives
SELECT primitive, family, name, kind, size, owner, value, counter FROM primitives

-- name: claims
SELECT primitive, token, node, held, number FROM claims ORDER BY claim

-- name: add_primitive
INSERT INTO primitives (family, name, kind, size, owner, value, counter) VALUES (?, ?, ?, ?, ?, ?, 0) RETURNING primitive

-- name: set_primitive
UPDATE primitives SET value = ?, counter = ? WHERE primitive = ?

-- name: drop_primitive
DELETE FROM primitives WHERE primitive = ?

-- name: deleted_primitives
SELECT family, name, counter FROM deleted_primitives ORDER BY number

-- name: remember_primitive
INSERT INTO deleted_primitives (family, name, counter) VALUES (?, ?, ?)

-- name: forget_primitive
DELETE FROM deleted_primitives WHERE family = ? AND name = ?

-- name: drop_claims
DELETE FROM claims WHERE primitive = ?

-- name: add_claim
INSERT INTO claims (primitive, token, node, held, number) VALUES (?, ?, ?, ?, ?)

-- name: end_claim
UPDATE claims SET held = 0, number = ? WHERE primitive = ? AND token = ? AND held = 1

-- name: delete_claim
DELETE FROM claims WHERE primitive = ? AND token = ?
