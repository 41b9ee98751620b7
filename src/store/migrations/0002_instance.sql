-- One row about the instance as a whole: which instance key this store belongs to.

CREATE TABLE instance (
    id              BIGINT PRIMARY KEY CHECK (id = 1),
    key_id          TEXT NOT NULL,    -- of the current key; derived from it, and gives nothing away
    key_since_ms    BIGINT NOT NULL
);
