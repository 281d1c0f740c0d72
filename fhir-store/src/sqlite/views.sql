-- The views are the stable face of the store; they need JSON1 and nothing else.
-- `LEFT JOIN` keeps a full scan in the order of `version`; a condition on the type turns it into a look-up.

CREATE VIEW resources AS
SELECT
  t.name AS type,
  v.id AS id,
  v.version AS version,
  lower(hex(v.hash)) AS content_hash,
  c.source_system AS source_system,
  coalesce(v.source_id, v.id) AS source_id,
  strftime('%Y-%m-%dT%H:%M:%S', (v.recorded - ((v.recorded % 1000 + 1000) % 1000)) / 1000, 'unixepoch') || printf('.%03dZ', ((v.recorded % 1000 + 1000) % 1000)) AS last_updated,
  v.activity = 2 AS deleted,
  b.data AS body
FROM version v
LEFT JOIN type t ON t.id = v.type
LEFT JOIN context c ON c.id = v.context
LEFT JOIN body b ON b.seq = v.seq
WHERE v.superseded = 0;

CREATE VIEW resource_versions AS
SELECT
  t.name AS type,
  v.id AS id,
  v.version AS version,
  lower(hex(v.hash)) AS content_hash,
  c.source_system AS source_system,
  coalesce(v.source_id, v.id) AS source_id,
  strftime('%Y-%m-%dT%H:%M:%S', (v.recorded - ((v.recorded % 1000 + 1000) % 1000)) / 1000, 'unixepoch') || printf('.%03dZ', ((v.recorded % 1000 + 1000) % 1000)) AS last_updated,
  v.activity = 2 AS deleted,
  b.data AS body
FROM version v
LEFT JOIN type t ON t.id = v.type
LEFT JOIN context c ON c.id = v.context
LEFT JOIN body b ON b.seq = v.seq;

CREATE VIEW provenances AS
SELECT
  lower(hex(v.provenance)) AS id,
  t.name AS target_type,
  v.id AS target_id,
  v.version AS target_version,
  CASE v.activity WHEN 0 THEN 'CREATE' WHEN 1 THEN 'UPDATE' ELSE 'DELETE' END AS activity,
  strftime('%Y-%m-%dT%H:%M:%S', (v.recorded - ((v.recorded % 1000 + 1000) % 1000)) / 1000, 'unixepoch') || printf('.%03dZ', ((v.recorded % 1000 + 1000) % 1000)) AS recorded,
  c.source_system AS source_system,
  coalesce(json_array_length(v.remediations), 0) AS remediations,
  json_object(
    'resourceType', 'Provenance',
    'id', lower(hex(v.provenance)),
    'meta', json_object('tag', json_array(json_object('system', 'urn:ingest:source-system', 'code', c.source_system))),
    'extension', json(
      '[' || json_object('url', 'urn:ingest:version', 'valueInteger', v.version)
      || coalesce((
        SELECT group_concat(',' || mended.extension, '')
        FROM (
          SELECT json_object(
            'url', 'urn:ingest:remediation',
            'extension', json_array(
              json_object('url', 'path', 'valueString', json_extract(r.value, '$[0]')),
              json_object('url', 'rule', 'valueString', json_extract(r.value, '$[1]'))
            )
          ) AS extension
          FROM json_each(v.remediations) r
          ORDER BY r.key
        ) mended
      ), '') || ']'),
    'target', json_array(json_object('reference', t.name || '/' || v.id)),
    'recorded', strftime('%Y-%m-%dT%H:%M:%S', (v.recorded - ((v.recorded % 1000 + 1000) % 1000)) / 1000, 'unixepoch') || printf('.%03dZ', ((v.recorded % 1000 + 1000) % 1000)),
    'activity', json_object('coding', json_array(json_object(
      'system', 'http://terminology.hl7.org/CodeSystem/v3-DataOperation',
      'code', CASE v.activity WHEN 0 THEN 'CREATE' WHEN 1 THEN 'UPDATE' ELSE 'DELETE' END))),
    'agent', json_array(json_object(
      'type', json_object('coding', json_array(json_object(
        'system', 'http://terminology.hl7.org/CodeSystem/provenance-participant-type',
        'code', 'assembler'))),
      'who', json_object('display', c.organization))),
    'entity', CASE WHEN m.id IS NULL
      THEN json_array(json_object('role', 'source', 'what', json_object('identifier', json_object(
        'system', c.source_system,
        'value', t.name || '/' || coalesce(v.source_id, v.id)))))
      ELSE json_array(
        json_object('role', 'source', 'what', json_object('identifier', json_object(
          'system', c.source_system,
          'value', t.name || '/' || coalesce(v.source_id, v.id)))),
        json_object('role', 'source', 'what', CASE
          WHEN m.raw_key = '' THEN json_object('identifier', json_object('value', m.control_id))
          WHEN m.control_id = '' THEN json_object('display', m.raw_key)
          ELSE json_object('identifier', json_object('value', m.control_id), 'display', m.raw_key) END))
      END
  ) AS body
FROM version v
LEFT JOIN type t ON t.id = v.type
LEFT JOIN context c ON c.id = v.context
LEFT JOIN message m ON m.id = v.message;

CREATE VIEW runs AS
SELECT
  id,
  connection,
  kind,
  state,
  strftime('%Y-%m-%dT%H:%M:%S', (started - ((started % 1000 + 1000) % 1000)) / 1000, 'unixepoch') || printf('.%03dZ', ((started % 1000 + 1000) % 1000)) AS started,
  strftime('%Y-%m-%dT%H:%M:%S', (finished - ((finished % 1000 + 1000) % 1000)) / 1000, 'unixepoch') || printf('.%03dZ', ((finished % 1000 + 1000) % 1000)) AS finished,
  resources, created, updated, unchanged, deleted, quarantined, remediated,
  error
FROM run;

CREATE VIEW quarantine AS
SELECT id, run, file, line, byte_offset, reason, detail, body FROM refused;

CREATE VIEW dead_letters AS
SELECT
  id,
  strftime('%Y-%m-%dT%H:%M:%S', (received - ((received % 1000 + 1000) % 1000)) / 1000, 'unixepoch') || printf('.%03dZ', ((received % 1000 + 1000) % 1000)) AS received,
  reason,
  detail,
  attempts,
  control_id,
  body
FROM dead_letter;
