-- Answers to calls with an Idempotency-Key, each written in the transaction of the change that it
-- answers. Without secrets and personal data; the payload is here as an HMAC only.

CREATE TABLE idempotency (
    id              TEXT PRIMARY KEY, -- SHA-256 of employer, caller, route and key, hex
    key_id          TEXT NOT NULL,    -- of the instance key that made payload
    payload         TEXT NOT NULL,    -- HMAC-SHA-256 of target and body, hex
    status          BIGINT NOT NULL,
    answer          TEXT,             -- JSON; NULL: the answer has no body
    has_secret      BIGINT NOT NULL,  -- 1: a secret was left out, so the answer is not given again
    expires_at_ms   BIGINT NOT NULL
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at_ms);
