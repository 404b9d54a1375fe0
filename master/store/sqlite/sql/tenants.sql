-- name: tenants
SELECT name, weight, max_running, since FROM tenants ORDER BY name

-- name: put_tenant
INSERT INTO tenants (name, weight, max_running, since) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    weight = excluded.weight, max_running = excluded.max_running, since = excluded.since

-- name: drop_tenant
DELETE FROM tenants WHERE name = ?
