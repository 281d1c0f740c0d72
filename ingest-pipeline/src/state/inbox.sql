-- HL7 v2 messages that were taken, with what tells a resend from a new one.
CREATE TABLE message (
    id         INTEGER PRIMARY KEY,
    connection TEXT NOT NULL,
    received   INTEGER NOT NULL,
    sender     BLOB NOT NULL,
    control_id BLOB NOT NULL,
    hash       BLOB NOT NULL,
    raw_key    TEXT NOT NULL,
    trigger    TEXT NOT NULL,
    event_time INTEGER,
    dead       INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX message_sent ON message (connection, control_id, sender, hash);

-- What was received and answered, by connection.
CREATE TABLE adt_count (
    connection TEXT PRIMARY KEY,
    received   INTEGER NOT NULL DEFAULT 0,
    accepted   INTEGER NOT NULL DEFAULT 0,
    ignored    INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0,
    rejected   INTEGER NOT NULL DEFAULT 0,
    -- Of the rejected, those that were answered AR and not AE.
    outright   INTEGER NOT NULL DEFAULT 0,
    reused     INTEGER NOT NULL DEFAULT 0,
    late       INTEGER NOT NULL DEFAULT 0,
    last       INTEGER
) STRICT;

-- Patients to be read from the EHR. A holder has a row until `expires`.
CREATE TABLE fetch (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    connection TEXT NOT NULL,
    system     TEXT NOT NULL,
    value      TEXT NOT NULL,
    -- Patients that were merged into this one: a JSON array of [system, value].
    merged     TEXT NOT NULL,
    message    INTEGER NOT NULL,
    queued     INTEGER NOT NULL,
    due        INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    holder     TEXT,
    expires    INTEGER
) STRICT;

-- Events of one patient that wait become one fetch.
CREATE UNIQUE INDEX fetch_waiting ON fetch (connection, system, value) WHERE holder IS NULL;
CREATE INDEX fetch_held ON fetch (holder) WHERE holder IS NOT NULL;

-- The last event and the last fetch of a patient, in milliseconds. What the
-- fetch brought counts while the store has its run.
CREATE TABLE adt_patient (
    connection TEXT NOT NULL,
    system     TEXT NOT NULL,
    value      TEXT NOT NULL,
    event_time INTEGER,
    fetched    INTEGER,
    run        TEXT,
    PRIMARY KEY (connection, system, value)
) STRICT, WITHOUT ROWID;

-- Messages that can't be worked on, and fetches that were given up. `fetch`
-- has what a fetch needs to be put back: JSON of system, value, merged, message.
CREATE TABLE dead_letter (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    connection TEXT NOT NULL,
    received   INTEGER NOT NULL,
    died       INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    detail     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    control_id BLOB NOT NULL,
    raw_key    TEXT NOT NULL,
    fetch      TEXT
) STRICT;

-- Messages on their way into the archive, sealed. They are safe here already.
CREATE TABLE raw (
    key    TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;
