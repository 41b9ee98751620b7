-- What the other processes of this store have to hear of, in the order of the commits
-- (docs/cluster.md). The table is that of 0008_change.sqlite.sql, which says what each column is.

CREATE TABLE change (
    number          BIGINT PRIMARY KEY,
    kind            TEXT NOT NULL,
    subject         TEXT NOT NULL,
    at_us           BIGINT NOT NULL
);

-- The last thing that a transaction does. The lock is held until the commit can be seen by others,
-- so a number is given only when all smaller ones can be read: whoever has read number n misses
-- nothing below it, in whatever order the transactions began. Each statement of the function sees
-- what was committed before that statement, and not before the function was called. The lock's
-- number is the word "sallychg".
CREATE FUNCTION change_announce(changed_kind TEXT, changed_subject TEXT) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(x'73616c6c79636867'::bigint);
    INSERT INTO change (number, kind, subject, at_us)
        SELECT coalesce(max(number), 0) + 1, changed_kind, changed_subject,
               (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
        FROM change;
    PERFORM pg_notify('sallyport_change', '');
END $$;
