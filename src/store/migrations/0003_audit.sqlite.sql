-- The audit (docs/audit.md): who did what, written with its change, and sealed in order.
-- No statement of the server changes a line or a seal; the triggers refuse it to everybody else.

-- The keys that lines and links are authenticated under, each wrapped under the instance key.
CREATE TABLE audit_key (
    generation      INTEGER PRIMARY KEY, -- from 1; the highest is in use
    id              TEXT NOT NULL UNIQUE,
    wrapped         TEXT NOT NULL,
    created_at_ms   INTEGER NOT NULL
);

CREATE TABLE audit (
    id                TEXT PRIMARY KEY,
    at_ms             INTEGER NOT NULL,
    action            TEXT NOT NULL,
    actor_kind        TEXT NOT NULL,     -- "user", "key", "operator", "server" or "nobody"
    actor_id          TEXT,
    role              TEXT,
    actor_employer_id TEXT,              -- the actor belongs to
    employer_id       TEXT,              -- the actor acted for
    target_kind       TEXT,
    target_id         TEXT,
    address           TEXT,
    user_agent        TEXT,
    request_id        TEXT,
    detail            TEXT,              -- a JSON object, without secrets
    key_id            TEXT NOT NULL,
    mac               TEXT NOT NULL      -- of all the above, in hex
) WITHOUT ROWID;
CREATE INDEX audit_by_employer ON audit (employer_id, id);

-- Lines that wait for their seal. Written with the line, taken away with the seal.
CREATE TABLE audit_pending (
    line_id         TEXT PRIMARY KEY
) WITHOUT ROWID;

CREATE TABLE audit_seal (
    number          INTEGER PRIMARY KEY, -- from 1, without gaps
    line_id         TEXT NOT NULL UNIQUE,
    link            TEXT NOT NULL,       -- over number, previous link and line, in hex
    key_id          TEXT NOT NULL
);

-- Where the chain ends. Written with the first row of `instance`, as number 0 without a key: the
-- audit may be opened. So that one whose head is missing has lost it.
CREATE TABLE audit_head (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    number          INTEGER NOT NULL,
    link            TEXT NOT NULL,
    key_id          TEXT NOT NULL,
    mac             TEXT NOT NULL
);

-- Lines that left the database for a signed file.
CREATE TABLE audit_archive (
    through         INTEGER PRIMARY KEY, -- the last number in the file
    first           INTEGER NOT NULL,
    previous_link   TEXT NOT NULL,
    link            TEXT NOT NULL,       -- of the last line
    file            TEXT NOT NULL,
    sha256          TEXT NOT NULL,       -- of the file, in hex
    archived_at_ms  INTEGER NOT NULL,
    key_id          TEXT NOT NULL,
    mac             TEXT NOT NULL
);

-- INSERT OR REPLACE removes rows without asking the triggers for DELETE.
CREATE TRIGGER audit_insert BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'a line of the audit is never replaced'); END;
CREATE TRIGGER audit_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'a line of the audit is never changed'); END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit_seal s JOIN audit_archive a ON a.through >= s.number
                 WHERE s.line_id = OLD.id)
BEGIN SELECT RAISE(ABORT, 'a line of the audit leaves only for an archive'); END;

CREATE TRIGGER audit_seal_insert BEFORE INSERT ON audit_seal
WHEN EXISTS (SELECT 1 FROM audit_seal WHERE number = NEW.number OR line_id = NEW.line_id)
BEGIN SELECT RAISE(ABORT, 'a seal of the audit is never replaced'); END;
CREATE TRIGGER audit_seal_update BEFORE UPDATE ON audit_seal
BEGIN SELECT RAISE(ABORT, 'a seal of the audit is never changed'); END;
CREATE TRIGGER audit_seal_delete BEFORE DELETE ON audit_seal
WHEN NOT EXISTS (SELECT 1 FROM audit_archive WHERE through >= OLD.number)
BEGIN SELECT RAISE(ABORT, 'a seal of the audit leaves only for an archive'); END;

CREATE TRIGGER audit_head_insert BEFORE INSERT ON audit_head
WHEN EXISTS (SELECT 1 FROM audit_head)
BEGIN SELECT RAISE(ABORT, 'the head of the audit is never replaced'); END;
CREATE TRIGGER audit_head_update BEFORE UPDATE ON audit_head
WHEN NEW.number <= OLD.number
BEGIN SELECT RAISE(ABORT, 'the head of the audit only goes forward'); END;
CREATE TRIGGER audit_head_delete BEFORE DELETE ON audit_head
BEGIN SELECT RAISE(ABORT, 'the head of the audit stays'); END;

CREATE TRIGGER audit_archive_insert BEFORE INSERT ON audit_archive
WHEN EXISTS (SELECT 1 FROM audit_archive WHERE through >= NEW.through)
BEGIN SELECT RAISE(ABORT, 'an archive of the audit is never replaced'); END;
CREATE TRIGGER audit_archive_update BEFORE UPDATE ON audit_archive
BEGIN SELECT RAISE(ABORT, 'an archive of the audit is never changed'); END;
CREATE TRIGGER audit_archive_delete BEFORE DELETE ON audit_archive
BEGIN SELECT RAISE(ABORT, 'an archive of the audit is never forgotten'); END;

CREATE TRIGGER audit_key_delete BEFORE DELETE ON audit_key
BEGIN SELECT RAISE(ABORT, 'a key of the audit is never forgotten'); END;
