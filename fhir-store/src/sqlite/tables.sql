CREATE TABLE type(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

-- On whose behalf versions were written; many share one.
CREATE TABLE context(
  id INTEGER PRIMARY KEY,
  source_system TEXT NOT NULL,
  organization TEXT NOT NULL,
  run TEXT
);
CREATE INDEX context_by_value ON context(source_system, organization, run);

CREATE TABLE message(
  id INTEGER PRIMARY KEY,
  control_id TEXT NOT NULL,
  raw_key TEXT NOT NULL
);

-- One row a version, without its body: a reload compares hashes and reads no body.
CREATE TABLE version(
  seq INTEGER PRIMARY KEY,
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  activity INTEGER NOT NULL,             -- 0 create, 1 update, 2 delete
  hash BLOB NOT NULL,
  context INTEGER NOT NULL,
  source_id TEXT,                        -- NULL where it equals id
  recorded INTEGER NOT NULL,             -- milliseconds since the Unix epoch
  provenance BLOB NOT NULL,              -- id of the Provenance, 32 bytes
  message INTEGER,
  remediations TEXT,                     -- [["path","rule"],...]
  superseded INTEGER NOT NULL DEFAULT 0, -- 1 where a later version exists
  amended INTEGER NOT NULL DEFAULT 0     -- how often the body was replaced in place
);
-- Not partial: a partial index would draw full scans of the current versions out of the order of seq.
CREATE UNIQUE INDEX version_key ON version(type, id, version);

-- A delete has no row here.
CREATE TABLE body(
  seq INTEGER PRIMARY KEY,
  data TEXT NOT NULL
);

CREATE TABLE identifier_system(
  id INTEGER PRIMARY KEY,
  uri TEXT NOT NULL UNIQUE
);
-- Rows outlive their version; one counts while the version is current and was amended as often as the row says.
CREATE TABLE identifier(
  type INTEGER NOT NULL,
  system INTEGER NOT NULL,
  value TEXT NOT NULL,
  seq INTEGER NOT NULL,
  amended INTEGER NOT NULL,
  PRIMARY KEY (type, system, value, seq, amended)
) WITHOUT ROWID;

CREATE TABLE run(
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  connection TEXT,
  kind TEXT NOT NULL,
  source_system TEXT NOT NULL,
  state TEXT NOT NULL,
  started INTEGER NOT NULL,
  finished INTEGER,
  resources INTEGER NOT NULL DEFAULT 0,
  created INTEGER NOT NULL DEFAULT 0,
  updated INTEGER NOT NULL DEFAULT 0,
  unchanged INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  remediated INTEGER NOT NULL DEFAULT 0,
  provenance INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  summary TEXT
);
CREATE INDEX run_unfinished ON run(state) WHERE state IN ('running', 'interrupted');

CREATE TABLE refused(
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,
  run TEXT NOT NULL,
  file TEXT NOT NULL,
  line INTEGER,
  byte_offset INTEGER,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  body ANY NOT NULL                      -- TEXT where the bytes are UTF-8, else BLOB
) STRICT;

CREATE TABLE dead_letter(
  id INTEGER PRIMARY KEY,
  received INTEGER NOT NULL,             -- milliseconds since the Unix epoch
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  control_id TEXT,
  body ANY NOT NULL
) STRICT;

-- Patients whose id in the source is a medical record number.
CREATE TABLE patient_alias(
  source_system TEXT NOT NULL,
  patient TEXT NOT NULL,
  settled INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (source_system, patient)
) WITHOUT ROWID;
-- Patients that stored resources refer to under their id in the source.
CREATE TABLE patient_reference(
  source_system TEXT NOT NULL,
  patient TEXT NOT NULL,
  PRIMARY KEY (source_system, patient)
) WITHOUT ROWID;
