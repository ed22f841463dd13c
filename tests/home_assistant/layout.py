"""An upgrade from a version that announced more: what is gone leaves nothing behind, whoever was there meanwhile."""

import json
import sqlite3

from scenes import ALEX, PHASE, expect
from stage import until

TOPIC = "homeassistant/device/hrvd_demo_athlete_alex/config"
# a whole device of that version, and a sensor of a device that stays
GONE = "homeassistant/device/hrvd_demo_person_alex/config"
FORMER = "hrvd.demo.athlete.alex.former"


def older(p):
    """Announces as the version before would have, and remembers it as that would have."""
    said = json.loads(p.broker.retained(TOPIC)[TOPIC])
    sensor = {"p": "sensor", "name": "Former", "stat_t": "hrvd/demo/status", "uniq_id": FORMER, "def_ent_id": "sensor.alex_former"}
    said["cmps"]["former"] = sensor
    device = {"dev": {"ids": ["hrvd.demo.person.alex"], "name": "Person"}, "o": said["o"], "cmps": {"all": {**sensor, "uniq_id": FORMER + ".all"}}}
    db = sqlite3.connect(p.daemon.folder / "hrvd.db")
    with db:
        for topic, payload in ((TOPIC, said), (GONE, device)):
            p.broker.publish(topic, payload, retain=True)
            row = (topic, json.dumps(payload).encode())
            db.execute("INSERT INTO announced (topic, payload) VALUES (?, ?) ON CONFLICT (topic) DO UPDATE SET payload = excluded.payload", row)
    db.close()
    until("what the older version announced", lambda: {FORMER, FORMER + ".all"} <= p.entities().keys(), 40)


def layout_before(p):
    """Upgraded while Home Assistant runs, and while it does not: entities and devices that no longer exist are gone from it."""
    p.daemon.run(p.broker, ALEX)
    p.rest.wait(PHASE, "idle", 20)
    p.daemon.stop()
    before, devices = {u: e["entity_id"] for u, e in p.entities().items()}, p.devices().keys()

    def clean():
        return {u: e["entity_id"] for u, e in p.entities().items()} == before and p.devices().keys() == devices

    older(p)
    p.daemon.run(p.broker, ALEX)
    until("all is as it was, with Home Assistant running", clean, 40)
    p.daemon.stop()
    older(p)
    p.ws.close()
    p.ws = None
    p.house.stop()
    p.daemon.run(p.broker, ALEX)
    until("the new version announces", lambda: GONE not in p.broker.retained("homeassistant/#"), 40)
    p.house.start()
    p.connect()
    until("all is as it was, with Home Assistant away", clean, 60)
    expect(p.rest.wait(PHASE, "idle", 20), "the rest works")
    p.daemon.stop()
