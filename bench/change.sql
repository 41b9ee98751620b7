-- pgbench: a key is changed, with its line of the audit, as the server does it; -D announce=1 with the
-- note for the other servers. Keys are bench_key_1 … 1000, so that rows are not what is waited for.
\set key random(1, 1000)
BEGIN;
UPDATE api_key SET is_active = 1 - is_active, updated_at_ms = updated_at_ms + 1 WHERE id = 'bench_key_' || :key;
INSERT INTO audit (id, at_ms, action, actor_kind, target_id, key_id, mac)
    VALUES (gen_random_uuid()::text, 1, 'api_key.updated', 'server', 'bench_key_' || :key, 'bench', 'bench');
\if :announce
SELECT change_announce('key', 'bench_key_' || :key);
\endif
COMMIT;
