-- People and employers as other services know them, and the sessions there that were ended here.

CREATE TABLE user_identity (
    issuer          TEXT NOT NULL,    -- iss
    external_id     TEXT NOT NULL,    -- sub
    person_id       TEXT NOT NULL REFERENCES person (id),
    created_at_ms   BIGINT NOT NULL,
    PRIMARY KEY (issuer, external_id)
);
CREATE INDEX user_identity_by_person ON user_identity (person_id);

CREATE TABLE employer_identity (
    issuer          TEXT NOT NULL,
    external_id     TEXT NOT NULL,
    employer_id     TEXT NOT NULL REFERENCES employer (id),
    created_at_ms   BIGINT NOT NULL,
    PRIMARY KEY (issuer, external_id)
);
CREATE INDEX employer_identity_by_employer ON employer_identity (employer_id);

CREATE TABLE revoked_token_session (
    issuer          TEXT NOT NULL,
    sid             TEXT NOT NULL,
    revoked_at_ms   BIGINT NOT NULL,
    ends_at_ms      BIGINT NOT NULL,  -- forgotten from then on
    PRIMARY KEY (issuer, sid)
);
CREATE INDEX revoked_token_session_by_end ON revoked_token_session (ends_at_ms);
