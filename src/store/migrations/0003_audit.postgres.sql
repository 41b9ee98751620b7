-- The audit (docs/audit.md): who did what, written with its change, and sealed in order.
-- No statement of the server changes a line or a seal; the triggers refuse it to everybody else.
-- The tables are those of 0003_audit.sqlite.sql, which says what each column is.

CREATE TABLE audit_key (
    generation      BIGINT PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    wrapped         TEXT NOT NULL,
    created_at_ms   BIGINT NOT NULL
);

CREATE TABLE audit (
    id                TEXT PRIMARY KEY,
    at_ms             BIGINT NOT NULL,
    action            TEXT NOT NULL,
    actor_kind        TEXT NOT NULL,
    actor_id          TEXT,
    role              TEXT,
    actor_employer_id TEXT,
    employer_id       TEXT,
    target_kind       TEXT,
    target_id         TEXT,
    address           TEXT,
    user_agent        TEXT,
    request_id        TEXT,
    detail            TEXT,
    key_id            TEXT NOT NULL,
    mac               TEXT NOT NULL
);
CREATE INDEX audit_by_employer ON audit (employer_id, id);

CREATE TABLE audit_pending (
    line_id         TEXT PRIMARY KEY
);

CREATE TABLE audit_seal (
    number          BIGINT PRIMARY KEY,
    line_id         TEXT NOT NULL UNIQUE,
    link            TEXT NOT NULL,
    key_id          TEXT NOT NULL
);

CREATE TABLE audit_head (
    id              BIGINT PRIMARY KEY CHECK (id = 1),
    number          BIGINT NOT NULL,
    link            TEXT NOT NULL,
    key_id          TEXT NOT NULL,
    mac             TEXT NOT NULL
);

CREATE TABLE audit_archive (
    through         BIGINT PRIMARY KEY,
    first           BIGINT NOT NULL,
    previous_link   TEXT NOT NULL,
    link            TEXT NOT NULL,
    file            TEXT NOT NULL,
    sha256          TEXT NOT NULL,
    archived_at_ms  BIGINT NOT NULL,
    key_id          TEXT NOT NULL,
    mac             TEXT NOT NULL
);

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is never changed: % on %', TG_OP, TG_TABLE_NAME;
END $$;

CREATE FUNCTION audit_may_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_seal s JOIN audit_archive a ON a.through >= s.number
                   WHERE s.line_id = OLD.id) THEN
        RAISE EXCEPTION 'a line of the audit leaves only for an archive';
    END IF;
    RETURN OLD;
END $$;

CREATE FUNCTION audit_seal_may_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_archive WHERE through >= OLD.number) THEN
        RAISE EXCEPTION 'a seal of the audit leaves only for an archive';
    END IF;
    RETURN OLD;
END $$;

CREATE FUNCTION audit_head_may_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number <= OLD.number THEN
        RAISE EXCEPTION 'the head of the audit only goes forward';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit_update BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_may_delete();
CREATE TRIGGER audit_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_seal_update BEFORE UPDATE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_seal_delete BEFORE DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_seal_may_delete();
CREATE TRIGGER audit_seal_truncate BEFORE TRUNCATE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_head_update BEFORE UPDATE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_head_may_update();
CREATE TRIGGER audit_head_delete BEFORE DELETE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_head_truncate BEFORE TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_archive_update BEFORE UPDATE OR DELETE ON audit_archive
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_archive_truncate BEFORE TRUNCATE ON audit_archive
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_key_delete BEFORE DELETE ON audit_key
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_key_truncate BEFORE TRUNCATE ON audit_key
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
