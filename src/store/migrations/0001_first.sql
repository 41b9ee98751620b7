-- Employers, people, sessions, API keys, patients.
-- Instants are Unix milliseconds; 0 means never. Both engines read this file: BIGINT and TEXT are
-- SQLite's INTEGER and TEXT by its affinity rules; BYTEA is neither's BLOB (SQLite takes it for
-- NUMERIC), so digests are stored as lower-case hex text, and no type differs.

CREATE TABLE employer (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    is_active       BIGINT NOT NULL,
    is_approved     BIGINT NOT NULL,
    created_at_ms   BIGINT NOT NULL
);

-- One address is one person on the whole instance: patients and people who sign in alike.
CREATE TABLE person (
    id              TEXT PRIMARY KEY,
    employer_id     TEXT NOT NULL REFERENCES employer (id),
    role            TEXT NOT NULL,
    email           TEXT NOT NULL,
    email_folded    TEXT NOT NULL UNIQUE,
    password_hash   TEXT,
    is_active       BIGINT NOT NULL,
    first_name      TEXT,
    last_name       TEXT,
    external_id     TEXT,
    date_of_birth   TEXT,
    phone           TEXT,
    department      TEXT,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL
);
CREATE INDEX person_by_employer ON person (employer_id, role, id);
CREATE INDEX person_by_department ON person (employer_id, role, department, id);

CREATE TABLE session (
    digest          TEXT PRIMARY KEY, -- SHA-256 of the token, hex
    person_id       TEXT NOT NULL REFERENCES person (id),
    created_at_ms   BIGINT NOT NULL,
    expires_at_ms   BIGINT NOT NULL
);
CREATE INDEX session_by_person ON session (person_id);
CREATE INDEX session_by_expiry ON session (expires_at_ms);

CREATE TABLE api_key (
    id              TEXT PRIMARY KEY,
    employer_id     TEXT NOT NULL REFERENCES employer (id),
    name            TEXT NOT NULL,
    scopes          TEXT NOT NULL,    -- words, in the order of contracts/scopes.def
    cidrs           TEXT NOT NULL,    -- words; empty = any address
    is_active       BIGINT NOT NULL,
    not_before_ms   BIGINT NOT NULL,
    expires_at_ms   BIGINT NOT NULL,
    rate_requests   BIGINT NOT NULL,  -- 0 = no limit
    rate_window_ms  BIGINT NOT NULL,
    rate_algorithm  BIGINT NOT NULL,
    key_prefix      TEXT NOT NULL,    -- of the newest secret
    key_suffix      TEXT NOT NULL,
    created_at_ms   BIGINT NOT NULL,
    created_by      TEXT NOT NULL,    -- a person's id, or "operator"
    updated_at_ms   BIGINT NOT NULL,
    rotated_at_ms   BIGINT NOT NULL,
    revoked_at_ms   BIGINT NOT NULL,
    last_used_at_ms BIGINT NOT NULL,
    last_used_ip    TEXT,
    request_count   BIGINT NOT NULL
);
CREATE INDEX api_key_by_employer ON api_key (employer_id, id);
CREATE INDEX api_key_by_creator ON api_key (created_by);

CREATE TABLE api_key_secret (
    digest          TEXT PRIMARY KEY, -- SHA-256 of the whole key text, hex
    key_id          TEXT NOT NULL REFERENCES api_key (id),
    created_at_ms   BIGINT NOT NULL,
    rotated_at_ms   BIGINT NOT NULL,  -- 0 = the current secret
    ends_at_ms      BIGINT NOT NULL,  -- a rotated secret works until then
    is_imported     BIGINT NOT NULL   -- 1: its text may have another form than ours
);
CREATE INDEX api_key_secret_by_key ON api_key_secret (key_id);

-- Addresses that uploads of an employer named and could not use, by day.
CREATE TABLE refused_email (
    employer_id     TEXT NOT NULL REFERENCES employer (id),
    day             BIGINT NOT NULL,  -- days since 1970-01-01
    refused         BIGINT NOT NULL,
    PRIMARY KEY (employer_id, day)
);
