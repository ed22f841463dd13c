-- Version 1. Append-only: a released migration is never edited.
-- Times: *_us since boot (only comparable within one boot_id) or wall_us since 1970, both microseconds.

CREATE TABLE athlete (
    slug        TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    time_zone   TEXT
) STRICT;

-- Adopted straps. Recordings name the address themselves, so forgetting a strap keeps its history.
CREATE TABLE strap (
    address      TEXT PRIMARY KEY,
    athlete      TEXT NOT NULL,
    name         TEXT,             -- chosen by the owner
    first_seen   INTEGER           -- wall_us of the adoption
) STRICT;

-- What is known of a strap, adopted here or listed in the configuration.
CREATE TABLE strap_facts (
    address      TEXT PRIMARY KEY,
    advertised   TEXT,
    battery_pct  INTEGER,
    location     INTEGER,
    manufacturer TEXT,
    model        TEXT,
    serial       TEXT,
    firmware     TEXT,
    hardware     TEXT,
    software     TEXT
) STRICT;

-- One wearing of one strap; drop-outs shorter than ten minutes stay inside.
CREATE TABLE recording (
    id          INTEGER PRIMARY KEY,
    strap       TEXT NOT NULL,
    athlete     TEXT,
    boot_id     TEXT NOT NULL,
    first_ord   INTEGER NOT NULL,
    start_us    INTEGER NOT NULL,
    wall_us     INTEGER,           -- of start_us, NULL until the clock is known
    end_us      INTEGER,           -- of the last packet; NULL while it goes on
    packets     INTEGER,           -- filled in with end_us
    app_version TEXT NOT NULL
) STRICT;
CREATE INDEX recording_strap ON recording (strap, id);

-- The raw truth. id is the order number of the first packet; sealed_to the highest order number of the transaction
-- that wrote the row, so that a left-over journal knows what it need not bring again.
CREATE TABLE packet_chunk (
    id           INTEGER PRIMARY KEY,
    sealed_to    INTEGER NOT NULL,
    recording_id INTEGER NOT NULL REFERENCES recording (id),
    start_us     INTEGER NOT NULL,
    end_us       INTEGER NOT NULL,
    n            INTEGER NOT NULL,
    codec        INTEGER NOT NULL,
    payload      BLOB NOT NULL
) STRICT;

-- What else happened: links, commands, clock anchors, as lines of the text recording format.
CREATE TABLE event_log (
    id        INTEGER PRIMARY KEY, -- order number
    sealed_to INTEGER NOT NULL,
    boot_id   TEXT NOT NULL,
    mono_us   INTEGER NOT NULL,
    kind      TEXT NOT NULL CHECK (kind IN ('link', 'command', 'clock')),
    strap     TEXT,
    athlete   TEXT,
    wall_us   INTEGER,
    line      TEXT NOT NULL
) STRICT;

CREATE VIEW clock_anchor AS SELECT boot_id, mono_us, wall_us FROM event_log WHERE kind = 'clock';
CREATE VIEW command_log AS SELECT boot_id, mono_us, athlete, line FROM event_log WHERE kind = 'command';

-- Frozen results. Only wall_us and local_date may be filled in later, once, when the clock becomes known.
CREATE TABLE check_result (
    id                INTEGER PRIMARY KEY,
    check_id          TEXT NOT NULL UNIQUE,
    boot_id           TEXT NOT NULL,
    athlete           TEXT NOT NULL,
    strap             TEXT NOT NULL,
    cause             TEXT NOT NULL,
    posture           TEXT NOT NULL,
    start_us          INTEGER NOT NULL,
    wall_us           INTEGER,
    local_date        TEXT,
    settle_s          REAL,
    length_s          REAL,
    grade             TEXT NOT NULL,
    rmssd_ms          REAL,
    ln_rmssd          REAL,
    mean_hr_bpm       REAL,
    mean_rr_ms        REAL,
    sdnn_ms           REAL,
    pnn50_pct         REAL,
    ln_rmssd_rr_ratio REAL,
    has_values        INTEGER NOT NULL,
    why               TEXT,
    n                 INTEGER NOT NULL,
    pairs             INTEGER NOT NULL,
    artifact_pct      REAL,
    coverage          REAL,
    gap_s             REAL,
    clean_s           REAL,
    notes             TEXT NOT NULL,
    algo_version      INTEGER NOT NULL,
    republish         INTEGER NOT NULL DEFAULT 0 -- dated later and not yet in the outbox again
) STRICT;
CREATE INDEX check_result_athlete ON check_result (athlete, id);

CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    created_us   INTEGER,          -- wall clock, if known
    topic        TEXT NOT NULL,
    payload      BLOB NOT NULL,
    retain       INTEGER NOT NULL,
    qos          INTEGER NOT NULL,
    sent_us      INTEGER,          -- wall clock of the acknowledgement, if known
    sent         INTEGER NOT NULL DEFAULT 0,
    tries        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX outbox_unsent ON outbox (id) WHERE sent = 0;

-- Discovery topics that were announced and must be cleared when their thing goes.
CREATE TABLE announced (topic TEXT PRIMARY KEY) STRICT;

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
