-- Identifiers of a run that began in an empty store, until it ends: sorted then, each page of `identifier` is written once.
CREATE TABLE identifier_early(
  type INTEGER NOT NULL,
  system INTEGER NOT NULL,
  value TEXT NOT NULL,
  seq INTEGER NOT NULL,
  amended INTEGER NOT NULL
);
