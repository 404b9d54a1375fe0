-- name: item_queues
SELECT queue, name, kind, maxsize, unfinished, shut, owner,
       (SELECT count(*) FROM items WHERE items.queue = item_queues.queue AND holder IS NULL)
FROM item_queues

-- name: held_items
SELECT holder, node, queue FROM items WHERE holder IS NOT NULL

-- name: putters
SELECT queue, putter, number FROM putters

-- name: last_item_seq
SELECT coalesce(max(seq), 0) FROM items

-- name: add_item_queue
INSERT INTO item_queues (name, kind, maxsize, unfinished, owner) VALUES (?, ?, ?, 0, ?) RETURNING queue

-- name: set_item_queue
UPDATE item_queues SET unfinished = ?, shut = ? WHERE queue = ?

-- name: drop_item_queue
DELETE FROM item_queues WHERE queue = ?

-- name: drop_items
DELETE FROM items WHERE queue = ?

-- name: drop_waiting_items
DELETE FROM items WHERE queue = ? AND holder IS NULL

-- name: drop_putters
DELETE FROM putters WHERE queue = ?

-- name: put_item
INSERT INTO items (seq, queue, rank, holder, node, payload) VALUES (?, ?, ?, ?, ?, ?)

-- name: put_putter
INSERT INTO putters (queue, putter, number, seen) VALUES (?, ?, ?, ?)
ON CONFLICT (queue, putter) DO UPDATE SET number = excluded.number, seen = excluded.seen

-- name: forget_putters
DELETE FROM putters WHERE (queue, putter) IN (SELECT queue, putter FROM putters WHERE seen < ? LIMIT ?)
RETURNING queue, putter

-- name: first_item
SELECT seq, payload FROM items WHERE queue = ? AND holder IS NULL ORDER BY rank, seq LIMIT 1

-- name: first_items
SELECT length(payload), CASE WHEN length(payload) <= :bytes_max THEN payload END
FROM items WHERE queue = :queue AND holder IS NULL ORDER BY rank, seq LIMIT :limit

-- name: hold_item
UPDATE items SET holder = ?, node = ? WHERE seq = ? AND holder IS NULL

-- name: take_first_items
DELETE FROM items WHERE seq IN (
    SELECT seq FROM items WHERE queue = :queue AND holder IS NULL ORDER BY rank, seq LIMIT :limit
)
RETURNING rank, seq, payload

-- name: held_item
SELECT payload FROM items WHERE holder = ?

-- name: seq_of_item
SELECT seq FROM items WHERE holder = ?

-- name: delete_waiting_item
DELETE FROM items WHERE seq = ? AND holder IS NULL

-- name: delete_item
DELETE FROM items WHERE holder = ?

-- name: release_item
UPDATE items SET holder = NULL, node = NULL WHERE holder = ?

-- name: rank_before
SELECT rank FROM items WHERE queue = ? AND holder IS NULL AND rank <= ? ORDER BY rank DESC LIMIT 1

-- name: rank_after
SELECT rank FROM items WHERE queue = ? AND holder IS NULL AND rank >= ? ORDER BY rank LIMIT 1
