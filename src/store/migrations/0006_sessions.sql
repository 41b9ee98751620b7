-- Sessions that can be told apart and ended one by one; links with which a password is set.

ALTER TABLE session ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN address TEXT;    -- the client's, when it was opened
ALTER TABLE session ADD COLUMN user_agent TEXT;
UPDATE session SET id = 'sess_' || substr(digest, 1, 24);
CREATE UNIQUE INDEX session_by_id ON session (id);

CREATE TABLE password_reset (
    digest          TEXT PRIMARY KEY, -- SHA-256 of the link's token, hex
    person_id       TEXT NOT NULL REFERENCES person (id),
    created_at_ms   BIGINT NOT NULL,
    expires_at_ms   BIGINT NOT NULL
);
CREATE UNIQUE INDEX password_reset_by_person ON password_reset (person_id);
CREATE INDEX password_reset_by_expiry ON password_reset (expires_at_ms);
