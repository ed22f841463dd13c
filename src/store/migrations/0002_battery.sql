-- Version 2: one battery reading a strap and local date (the newest), for a forecast over weeks.

CREATE TABLE strap_battery (
    address TEXT NOT NULL,
    date    TEXT NOT NULL,
    percent INTEGER NOT NULL,
    PRIMARY KEY (address, date)
) STRICT;
