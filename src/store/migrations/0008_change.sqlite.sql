-- What the other processes of a shared store have to hear of, in the order of the commits. One
-- process alone has SQLite open, so there the table stays empty; it is here because both engines
-- have the same tables.

CREATE TABLE change (
    number          BIGINT PRIMARY KEY, -- from 1, without gaps; the newest row is always kept
    kind            TEXT NOT NULL,      -- "key"; what was changed
    subject         TEXT NOT NULL,      -- its id
    at_us           BIGINT NOT NULL     -- when, by the database's clock: Unix microseconds
);
