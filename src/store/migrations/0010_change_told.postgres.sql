-- The news of a change says what has changed, so that nobody has to ask before it takes effect. What
-- is longer than a notification may be (8,000 bytes) is left to be read.

CREATE OR REPLACE FUNCTION change_announce(changed_kind TEXT, changed_subject TEXT) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    made change;
    told TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(x'73616c6c79636867'::bigint);
    INSERT INTO change (number, kind, subject, at_us)
        SELECT coalesce(max(number), 0) + 1, changed_kind, changed_subject,
               (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
        FROM change
        RETURNING * INTO made;
    told := concat_ws(' ', made.number, made.at_us, made.kind, made.subject);
    PERFORM pg_notify('sallyport_change', CASE WHEN octet_length(told) < 8000 THEN told ELSE '' END);
END $$;
