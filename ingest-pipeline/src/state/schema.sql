-- One process a connection, until `expires` unless renewed.
CREATE TABLE lease (
    connection TEXT PRIMARY KEY,
    run        TEXT NOT NULL,
    holder     TEXT NOT NULL,
    acquired   INTEGER NOT NULL,
    expires    INTEGER NOT NULL
) STRICT;

-- Runs over the network from their first moment; the store has them from when
-- it is written.
CREATE TABLE run (
    id         TEXT PRIMARY KEY,
    connection TEXT NOT NULL,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    started    INTEGER NOT NULL,
    since      TEXT,
    error      TEXT
) STRICT;

CREATE INDEX run_by_connection ON run (connection, started);

CREATE TABLE run_state (
    run     TEXT NOT NULL,
    state   TEXT NOT NULL,
    entered INTEGER NOT NULL
) STRICT;

CREATE INDEX run_state_by_run ON run_state (run);

-- The export that a server works at, or whose files aren't all loaded yet.
CREATE TABLE job (
    connection TEXT PRIMARY KEY,
    run        TEXT NOT NULL,
    scope      TEXT NOT NULL,
    request    TEXT NOT NULL,
    since      TEXT,
    status_url TEXT,
    started    INTEGER NOT NULL,
    manifest   TEXT
) STRICT;

-- Files of the job that are downloaded whole.
CREATE TABLE file (
    connection TEXT NOT NULL,
    name       TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    lines      INTEGER NOT NULL,
    fault      TEXT,
    PRIMARY KEY (connection, name)
) STRICT;

-- Up to which instant a store holds everything of a connection. One a run:
-- only those whose run the store knows as completed count.
CREATE TABLE watermark (
    run        TEXT PRIMARY KEY,
    connection TEXT NOT NULL,
    scope      TEXT NOT NULL,
    instant    TEXT NOT NULL,
    entered    INTEGER NOT NULL
) STRICT;

CREATE INDEX watermark_by_connection ON watermark (connection, entered);
