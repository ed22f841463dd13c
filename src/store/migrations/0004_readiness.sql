-- Version 4: what people say, and what was answered.

-- Every input, those that were corrected later too; the last one said of a kind (and name) counts. Never changed.
CREATE TABLE input (
    id       INTEGER PRIMARY KEY,
    athlete  TEXT NOT NULL,
    date     TEXT NOT NULL,      -- the day it is about
    at_us    INTEGER NOT NULL,   -- wall_us of when it was said
    source   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    value    TEXT NOT NULL       -- JSON
) STRICT;
CREATE INDEX input_athlete ON input (athlete, date);

-- Frozen verdicts with everything behind them. A late or corrected input makes a new version; none is ever changed.
CREATE TABLE verdict (
    id           INTEGER PRIMARY KEY,
    athlete      TEXT NOT NULL,
    date         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    at_us        INTEGER NOT NULL,
    algo_version INTEGER NOT NULL,
    level        TEXT NOT NULL,
    feel         TEXT,
    changed      TEXT NOT NULL,  -- JSON: names of inputs that differ from the version before
    day          TEXT NOT NULL,  -- JSON: all inputs, as `hrvd readiness` takes them
    verdict      TEXT NOT NULL,  -- JSON
    UNIQUE (athlete, date, version)
) STRICT;
