-- What an upload of one new patient asks of PostgreSQL, for pgbench: the rate with nothing of ours
-- in between. :employer is the id of an employer that exists.
\set n random(1, 1000000000000)
BEGIN;
SELECT id, email, first_name, last_name, external_id, date_of_birth, phone, department, created_at_ms, updated_at_ms, employer_id, role FROM person WHERE email_folded = 'pgbench-' || :n::text || '@bench.example' FOR UPDATE;
INSERT INTO person (id, employer_id, role, email, email_folded, is_active, first_name, last_name, created_at_ms, updated_at_ms) VALUES ('pgbench_' || :n::text, :employer::text, 'PATIENT', 'pgbench-' || :n::text || '@bench.example', 'pgbench-' || :n::text || '@bench.example', 1, 'Bench', 'Bench', 0, 0);
COMMIT;
