"""hrvd at work in a guest: its service, a broker, three straps, and what can be seen of them while they run."""

import json
import time
from dataclasses import dataclass

from guest import GuestDied, Lines

SETTLED = 2.5  # s without a live value, and a strap does not count as delivering
CONFIG = """
[gateway]
id = "lab"
[mqtt]
host = "127.0.0.1"
live_interval = "1s"
[log]
level = "info,hrvd::ble=debug"
"""


@dataclass(frozen=True)
class Strap:
    name: str
    address: str
    athlete: str
    options: str

    @property
    def slug(self):
        return self.address.replace(":", "").lower()


# A plain one; one with a wide heart rate field; one so slow that some notifications hold no interval
STRAPS = [
    Strap("A", "C0:00:00:00:00:0A", "anna", "hr=62"),
    Strap("B", "C0:00:00:00:00:0B", "bela", "hr=150,hr16=1"),
    Strap("C", "C0:00:00:00:00:0C", "cleo", "hr=48,energy=1"),
]
# Nobody's, until they are adopted while hrvd runs
GUESTS = [Strap(n, f"C0:00:00:00:00:0{n}", a, "hr=70") for n, a in zip("DEF", ("dora", "emil", "finn"))]
GUESTS.append(Strap("G", "C0:00:00:00:00:10", "gina", "hr=80"))
ALL = STRAPS + GUESTS


def mqtt_line(line):
    stamp, retained, topic, payload = line.split("\t", 3)
    if retained == "1":
        return None  # what was before we listened
    try:
        data = json.loads(payload)
    except ValueError:
        data = payload
    return float(stamp), topic, data


class Stage:
    """All times are seconds since 1970 by the guest's clock."""

    def __init__(self, guest, trace=False):
        self.guest = guest
        self.trace = "spawn btmon -w /lab/hci.btsnoop > /dev/null 2>&1" if trace else ""
        self.truth = Lines(guest.share / "truth.jsonl", json.loads)
        self.mqtt = Lines(guest.share / "mqtt.log", mqtt_line)

    def start(self):
        straps = " ".join(f"name={s.name},address={s.address},{s.options}" for s in ALL)
        config = CONFIG + "".join(
            f'[[athlete]]\nslug = "{s.athlete}"\nauto_start = false\n'
            + (f'[[strap]]\naddress = "{s.address}"\nathlete = "{s.athlete}"\n' if s in STRAPS else "")
            for s in ALL
        )
        (self.guest.share / "hrvd.toml").write_text(config)
        self.guest.sh(f"""set -e
            spawn() {{ setsid "$@" < /dev/null & }}
            PYTHONPATH=/lab/site:/lab spawn python3 /lab/straps.py /lab/truth.jsonl {straps} > /lab/straps.err 2>&1
            for i in $(seq 100); do [ -d /sys/class/bluetooth/hci0 ] && break; sleep 0.1; done
            systemctl start bluetooth mosquitto
            {self.trace}
            for i in $(seq 100); do mosquitto_pub -h 127.0.0.1 -t lab -m up && break; sleep 0.1; done
            spawn stdbuf -oL mosquitto_sub -h 127.0.0.1 -t '#' -q 1 -F '%U\t%r\t%t\t%p' > /lab/mqtt.log 2> /lab/mqtt.err
            if [ -e /lab/hrvd.deb ]; then
              DEBIAN_FRONTEND=noninteractive dpkg -i /lab/hrvd.deb < /dev/null
            else
              install -m 755 /lab/hrvd /usr/bin/hrvd
              install -m 644 /lab/hrvd.service /etc/systemd/system/hrvd.service
            fi
            install -D -m 644 /lab/hrvd.toml /etc/hrvd/hrvd.toml
            systemctl daemon-reload
            systemctl restart hrvd""")

    def poll(self):
        self.truth.poll()
        self.mqtt.poll()

    def now(self):
        return self.truth.items[-1]["w"] if self.truth.items else 0.0

    def wait(self, limit, condition, until=None):
        """Waits for `condition` by the guest's clock: from `until - limit`, or from now. Its value, or None."""
        self.poll()
        end = (until or self.now() or time.time()) + limit
        seen, moved = self.now(), time.monotonic()
        while True:
            self.poll()
            value = condition()
            if value is not None and value is not False:
                return value
            if self.now() > end:
                return None
            if self.now() != seen:
                seen, moved = self.now(), time.monotonic()
            elif time.monotonic() - moved > 60:
                raise GuestDied("the straps' log stands still")
            time.sleep(0.05)

    def sleep(self, seconds):
        self.wait(seconds, lambda: None)

    def live(self, strap, since=0.0):
        """Live messages of a strap's athlete: when and what."""
        topic = f"hrvd/lab/athlete/{strap.athlete}/live"
        return [(w, m) for w, t, m in self.mqtt.items if t == topic and w >= since]

    def first_down(self, strap, since, live_too=True):
        """When somebody who listens could first know that no heart rate comes. A live message without one may also
        speak of a single notification that could not be read."""
        live, state = f"hrvd/lab/athlete/{strap.athlete}/live", f"hrvd/lab/strap/{strap.slug}/state"
        for w, topic, message in self.mqtt.items:
            down = (
                topic in ("hrvd/lab/status", f"hrvd/lab/strap/{strap.slug}/availability") and message == "offline"
                or live_too and topic == live and message["hr"] is None
                or topic == state and message["link"] != "connected"
            )  # fmt: skip
            if w >= since and down:
                return w
        return None

    def first_data(self, strap, since):
        """When the first value of a beat that came after `since` was published."""
        sent = {
            round(e["rr"][-1] * 1000 / 1024): e["w"]
            for e in self.truth.items
            if e["ev"] == "sent" and e["strap"] == strap.name and e["rr"] and e["w"] >= since
        }
        for w, m in self.live(strap, since):
            if m["hr"] is not None and m["rr"] in sent and sent[m["rr"]] <= w:
                return w
        return None

    def delivering(self, strap):
        last = self.live(strap)[-1:]
        return bool(last) and last[0][1]["hr"] is not None and self.now() - last[0][0] < SETTLED

    def all_delivering(self):
        return all(self.delivering(s) for s in STRAPS)

    def status(self):
        """What hrvd says of itself, or nothing while there is no daemon."""
        answer = self.guest.ask(hrvd={"op": "status"})
        return json.loads(answer.out) if answer.rc == 0 else {}

    def counters(self):
        """The counters of recovery, or nothing while there is no daemon."""
        return self.status().get("recovery", {})

    def cause(self, strap):
        """Why a strap is quiet, as hrvd tells it."""
        return next((s.get("cause") for s in self.status().get("straps", []) if s["strap"] == strap.address), None)

    def last(self, strap, *events):
        """The strap's newest event of these kinds."""
        return next((e for e in reversed(self.truth.items) if e.get("strap") == strap.name and e["ev"] in events), None)

    def is_free(self, strap):
        """Whether the strap holds no connection."""
        last = self.last(strap, "connected", "disconnected")
        return last is None or last["ev"] == "disconnected"

    def longest_stall(self, since=0.0, until=float("inf")):
        """How long the guest stood still at most, because the host gave it no time: its clock tick was late."""
        ticks = [e["w"] for e in self.truth.items if e["ev"] == "time"]
        return max((b - a - 0.5 for a, b in zip(ticks, ticks[1:]) if b >= since and a <= until), default=0.0)

    def process(self):
        answer = self.guest.ask(process="hrvd")
        if answer.rc:
            raise GuestDied(f"hrvd does not run: {answer.out}")
        return json.loads(answer.out)

    def finish(self):
        """Stops the service; its database and the journal come out. Returns when that began, and the straps that were not
        let go."""
        self.poll()
        self.guest.ask(hrvd={"op": "seal"})
        stop = self.guest.sh("systemctl stop hrvd; cp -r /var/lib/hrvd /lab/store")
        self.wait(5, lambda: all(map(self.is_free, ALL)), until=stop.t1)
        self.poll()
        return stop.t0, [s.name for s in ALL if not self.is_free(s)]
