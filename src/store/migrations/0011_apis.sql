-- What keys are issued for, beside the built-in APIs, which are compiled in and no rows; plans; and
-- what a key of any API has beyond one of the enterprise API's.

CREATE TABLE api (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    audience        TEXT NOT NULL,
    key_prefix      TEXT NOT NULL,
    credential      TEXT NOT NULL,    -- the header field, in lower case; authorization: as Bearer
    holds_imported  BIGINT NOT NULL,  -- some keys have texts of another system
    next_scope      BIGINT NOT NULL,
    places          TEXT NOT NULL,    -- "+DE +AT -RU ?"; empty: anywhere
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL,
    deleted_at_ms   BIGINT NOT NULL
);
CREATE UNIQUE INDEX api_by_audience ON api (audience) WHERE deleted_at_ms = 0;

CREATE TABLE api_scope (
    id              TEXT PRIMARY KEY,
    api_id          TEXT NOT NULL REFERENCES api (id),
    number          BIGINT NOT NULL,  -- what keys hold; never given twice within its API
    bit             BIGINT NOT NULL,  -- 0 to 63, while it lives
    scope_key       TEXT NOT NULL,
    description     TEXT NOT NULL,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL
);
CREATE UNIQUE INDEX api_scope_by_key ON api_scope (api_id, scope_key);
CREATE UNIQUE INDEX api_scope_by_number ON api_scope (api_id, number);
CREATE UNIQUE INDEX api_scope_by_bit ON api_scope (api_id, bit);

CREATE TABLE plan (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    keys_max        BIGINT NOT NULL,  -- 0: no bound of its own
    rate_requests   BIGINT NOT NULL,
    rate_window_ms  BIGINT NOT NULL,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL
);

-- An API that a plan does not name is not in it.
CREATE TABLE plan_api (
    plan_id         TEXT NOT NULL REFERENCES plan (id),
    api_id          TEXT NOT NULL,
    scopes          TEXT NOT NULL,    -- as a key's; "*": all
    PRIMARY KEY (plan_id, api_id)
);

ALTER TABLE employer ADD COLUMN plan_id TEXT NOT NULL DEFAULT '';
ALTER TABLE employer ADD COLUMN places TEXT NOT NULL DEFAULT '';

ALTER TABLE api_key ADD COLUMN api_id TEXT NOT NULL DEFAULT 'enterprise';
ALTER TABLE api_key ADD COLUMN owner_id TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN is_instance BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN places TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN metadata TEXT NOT NULL DEFAULT '';
CREATE INDEX api_key_by_api ON api_key (api_id, created_at_ms, id);
CREATE INDEX api_key_by_age ON api_key (created_at_ms, id);
CREATE INDEX api_key_by_owner ON api_key (owner_id, created_at_ms, id);
CREATE INDEX api_key_of_employer_by_age ON api_key (employer_id, created_at_ms, id);
