-- Version 3: what was set while the daemon ran; a layer above the configuration.

CREATE TABLE preference (
    athlete TEXT NOT NULL,         -- '' is the gateway's own
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    set_us  INTEGER,               -- wall_us, if the clock was known
    PRIMARY KEY (athlete, name)
) STRICT;
