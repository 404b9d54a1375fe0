-- name: keys
SELECT id, role, queues, kdf, stored_key, server_key, state, note, created, last_used, tenant, max_queued, max_queued_bytes FROM keys ORDER BY created, id

-- name: put_key
INSERT INTO keys (id, role, queues, kdf, stored_key, server_key, state, note, created, last_used, tenant, max_queued, max_queued_bytes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    role = excluded.role, queues = excluded.queues, kdf = excluded.kdf, stored_key = excluded.stored_key,
    server_key = excluded.server_key, state = excluded.state, note = excluded.note, last_used = excluded.last_used,
    tenant = excluded.tenant, max_queued = excluded.max_queued, max_queued_bytes = excluded.max_queued_bytes
