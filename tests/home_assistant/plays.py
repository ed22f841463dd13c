"""Which scenes are played, in which order: they build on each other."""

import effects
from german import german
from layout import layout_before
from locked import behind_a_lock
from scenes import (
    appears,
    blueprints_load,
    broker_restarts,
    check_is_followed,
    commands,
    daemon_goes,
    home_assistant_restarts,
    log_is_clean,
    people_come_and_go,
    people_fall_silent,
    pictures,
    readiness,
    settings,
    statistics,
)

# 2024.12 keeps the names under which it set entities up: it is not asked for German ones
COMMON = [appears, blueprints_load, commands, settings, statistics, home_assistant_restarts, daemon_goes, people_come_and_go, people_fall_silent, log_is_clean]
NEWEST = [
    appears, blueprints_load, check_is_followed, readiness, commands, settings, statistics, pictures, home_assistant_restarts,
    broker_restarts, daemon_goes, *effects.ALL, people_come_and_go, people_fall_silent, german, layout_before,
    log_is_clean, behind_a_lock,
]  # fmt: skip
