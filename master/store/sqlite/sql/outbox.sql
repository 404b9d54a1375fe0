-- Which rows of outboxes were accepted.

-- name: receipt
SELECT 1 FROM receipts WHERE receipt = ?

-- name: keep_receipt
INSERT INTO receipts (receipt, key) VALUES (?, ?)

-- name: forget_receipt
UPDATE receipts SET until = ? WHERE receipt = ? AND until IS NULL

-- name: drop_receipts
DELETE FROM receipts WHERE receipt IN (
    SELECT receipt FROM receipts WHERE until <= ? ORDER BY until LIMIT ?
) RETURNING key

-- name: next_receipt_until
SELECT min(until) FROM receipts WHERE until IS NOT NULL

-- name: receipts_by_key
SELECT key, count(*) FROM receipts GROUP BY key
