-- Who may ask the gate: one token for each gateway or program that verifies keys here.

CREATE TABLE gate_token (
    id              TEXT PRIMARY KEY,
    digest          TEXT NOT NULL UNIQUE, -- SHA-256 of the token, hex
    name            TEXT NOT NULL,
    created_at_ms   BIGINT NOT NULL
);
