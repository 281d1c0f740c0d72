-- Digests of the texts that versions were made from, so that the same text is known again without parsing it.
ALTER TABLE version ADD COLUMN line BLOB;
CREATE TABLE line_key(key BLOB NOT NULL);
INSERT INTO line_key VALUES (randomblob(16));
