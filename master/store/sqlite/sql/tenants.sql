-- name: tenants
SELECT name, weight, max_running, since, shards_of, change FROM tenants ORDER BY name

-- name: put_tenant
INSERT INTO tenants (name, weight, max_running, since, shards_of, change) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    weight = excluded.weight, max_running = excluded.max_running, since = excluded.since,
    shards_of = excluded.shards_of, change = excluded.change

-- name: drop_tenant
DELETE FROM tenants WHERE name = ?
