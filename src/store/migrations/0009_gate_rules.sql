-- What a request needs by its method and path, for each API; the first that fits decides.

CREATE TABLE gate_rule (
    api         TEXT NOT NULL,
    position    BIGINT NOT NULL,
    method      TEXT NOT NULL, -- "*": any
    path        TEXT NOT NULL, -- a pattern, "/orders/{id}"
    scopes      TEXT NOT NULL, -- an expression; empty: any key will do
    PRIMARY KEY (api, position)
);
