-- Version 5: what was announced at a discovery topic, so that a later version can take away what it no longer announces.

ALTER TABLE announced ADD COLUMN payload BLOB;
