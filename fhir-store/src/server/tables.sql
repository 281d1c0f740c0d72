-- What the state of a store on a FHIR server has besides the tables of a store.
CREATE TABLE IF NOT EXISTS server(
  base TEXT NOT NULL,
  bundles INTEGER NOT NULL DEFAULT 0,   -- 0 transactions, 1 batches, 2 none
  references_checked INTEGER NOT NULL DEFAULT 0,
  ids_assigned INTEGER NOT NULL DEFAULT 0
);
-- Ids that the server gave to what we sent, Provenances among it.
CREATE TABLE IF NOT EXISTS server_id(
  type TEXT NOT NULL,
  id TEXT NOT NULL,
  server_id TEXT NOT NULL,
  PRIMARY KEY (type, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS server_id_back ON server_id(type, server_id);
-- Versions the server was not told of yet, or only in part.
CREATE TABLE IF NOT EXISTS outbox(
  seq INTEGER PRIMARY KEY,              -- of version
  provenance_only INTEGER NOT NULL DEFAULT 0,
  held TEXT                             -- why it waits for the end of the run
);
-- What the server calls the versions it was told of. Their bodies may be gone from here.
CREATE TABLE IF NOT EXISTS delivered(
  seq INTEGER PRIMARY KEY,              -- of version
  server_version TEXT,                  -- NULL where it names none
  bytes INTEGER NOT NULL DEFAULT 0      -- of the body
);
-- Current versions that the server turned out not to have any more.
CREATE TABLE IF NOT EXISTS lost(
  seq INTEGER PRIMARY KEY               -- of version
);
