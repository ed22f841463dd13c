"""What goes wrong, and how it is played."""

import json
from dataclasses import dataclass, field

from guest import GuestDied
from stage import ALL, GUESTS, STRAPS

KNOWN_DOWN = 6.0  # s, at most
DATA_AGAIN = 15.0  # s after the strap or the service is back, at most
STILL = 2.0  # s without any time of the host's: then a link may go that nobody hurt
SLACK = 0.5  # s, for a loaded machine: the guest's processes share it with others

POWERED = """for i in $(seq 100); do
busctl set-property org.bluez /org/bluez/hci0 org.bluez.Adapter1 Powered b {} && exit 0; sleep 0.1; done; exit 1"""
NEW_BLUETOOTHD = """old=$(pidof bluetoothd); {}
for i in $(seq 300); do new=$(pidof bluetoothd) && [ "$new" != "$old" ] && busctl -q status org.bluez && exit 0
sleep 0.1; done >/dev/null 2>&1; exit 1"""
RFKILL = 'for d in /sys/class/rfkill/*; do [ "$(cat $d/type)" = bluetooth ] && echo {} > $d/soft; done; true'
RELEASE = '{{"op":"release","address":"C0:00:00:00:00:0C"{}}}'


@dataclass
class Fault:
    """`strike` and `back` are commands for the straps ("sim ..."), requests to hrvd (JSON) or shell scripts."""

    name: str
    hit: str
    strike: str
    back: str = ""
    hold: float = 0.0
    # what is sent meanwhile cannot reach hrvd, because nobody is there to take it
    deaf: bool = False
    # nothing may be told as down
    unnoticed: bool = False
    # what was sent in so many seconds before the blow is looked at with it
    before: float = 0.0
    # how long data must flow, before and after
    calm: float = 2.0
    # played where few other faults are: a strap that fails again and again is braked on purpose, up to a minute
    apart: bool = False


FAULTS = [
    Fault("strap refuses", "C", "sim C refuse; sim C disconnect", "sim C accept", 26),
    Fault("strap disconnects", "A", "sim A disconnect"),
    Fault("strap vanishes, returns", "B", "sim B vanish 2", "sim B appear", 10),
    # lost at 2 s, looked for in bursts of 8 s with 4 s between: 10 s and 23 s fall into the pauses
    Fault("strap away for longer", "A", "sim A vanish 2", "sim A appear", 23),
    Fault("strap fades, link survives", "C", "sim C vanish 30", "sim C appear", 9),
    Fault("strap stalls", "B", "sim B stall", "sim B resume", 12),
    Fault("beats held, then a burst", "C", "sim C hold", "sim C resume", 8),
    Fault("nothing can be read", "B", "sim B unreadable; sim B disconnect", "sim B readable", 7),
    Fault("released, taken back", "C", RELEASE.format(""), RELEASE.format(',"end":true'), 6, deaf=True),
    Fault("malformed notifications", "A", "sim A raw - 16 173c 163c05 1e3c00 ff", unnoticed=True, hold=3),
    Fault("all straps vanish", "ABC", "sim * vanish 2", "sim * appear", 6, apart=True),
    Fault("hrvd restarts", "ABC", "systemctl restart hrvd", deaf=True, before=11),
    Fault("bluetoothd restarts", "ABC", "systemctl restart bluetooth", deaf=True),
    Fault("bluetoothd stopped, started", "ABC", "systemctl stop bluetooth", "systemctl start bluetooth", 4, deaf=True),
    Fault("bluetoothd killed", "ABC", NEW_BLUETOOTHD.format("kill -9 $old"), deaf=True),
    Fault("hrvd killed", "ABC", "systemctl kill -s KILL hrvd; sleep 0.2", deaf=True, before=11),
    Fault("adapter off, on", "ABC", POWERED.format("false"), POWERED.format("true"), 5, deaf=True),
    Fault("adapter unplugged, replugged", "ABC", "sim adapter unplug", "sim adapter plug", 5, deaf=True),
    Fault("radio blocked by rfkill", "ABC", RFKILL.format(1), RFKILL.format(0), 5, deaf=True),
    Fault("D-Bus killed", "ABC", NEW_BLUETOOTHD.format("systemctl kill -s KILL dbus"), deaf=True),
]


@dataclass
class Row:
    """What was seen of a fault; losses are filled in from the store at the end."""

    name: str
    hit: str = ""
    begin: float = 0.0
    t0: float = 0.0
    back: float = 0.0
    end: float = 0.0
    deaf: bool = False
    down: float | None = None
    again: float | None = None
    recovery: str = ""
    # what may never happen, and what took longer than it may
    missed: list = field(default_factory=list)
    late: list = field(default_factory=list)
    # it was only late, and is played once more: that one counts
    forgiven: bool = False
    expected: int = 0
    lost: int = 0
    unheard: int = 0


def do(stage, script):
    """Plays a script; returns when it began and ended by the guest's clock."""
    if script.startswith("{"):
        answer = stage.guest.ask(hrvd=json.loads(script))
        if answer.rc or json.loads(answer.out).get("type") != "ok":
            raise GuestDied(f"{script}: {answer.out}")
        return answer.t0, answer.t1
    if not script.startswith("sim "):
        answer = stage.guest.sh(script)
        return answer.t0, answer.t1
    first = answer = None
    for command in script.split("; "):
        answer = stage.guest.ask(sim=command.removeprefix("sim "))
        if answer.rc:
            raise GuestDied(f"{command}: {answer.out}")
        first = first or answer
    return first.t0, answer.t1


def levels(before, after):
    """Levels of recovery as src/ble/arbiter.rs names them."""
    if not before or not after or any(after[k] < before[k] for k in after):
        return "new process"
    parts = [("a", "connects"), ("b", "scans"), ("c", "adapter_lookups"), ("d", "managers")]
    return " ".join(f"{letter}{after[k] - before[k]}" for letter, k in parts if after[k] > before[k]) or "none"


def settle(stage, calm=2.0):
    """Waits until all straps deliver, and a little longer."""
    if stage.wait(90, stage.all_delivering) is None:
        return False
    stage.sleep(calm)
    return True


def play(stage, fault):
    """One fault from the first blow until data flows again."""
    row = Row(fault.name, fault.hit, deaf=fault.deaf)
    hit = [s for s in STRAPS if s.name in fault.hit]
    others = [s for s in STRAPS if s.name not in fault.hit]
    if not settle(stage, fault.calm):
        row.missed.append("straps do not deliver before the fault")
    row.begin = stage.now()
    stage.sleep(fault.before)
    before = stage.counters()
    row.t0, row.back = do(stage, fault.strike)

    def downs():
        found = [stage.first_down(s, row.t0) for s in hit]
        return None if None in found else max(found)

    if not fault.unnoticed:
        told = stage.wait(KNOWN_DOWN + 4, downs, until=row.t0)
        row.down = told - row.t0 if told else None
        if told is None or row.down > KNOWN_DOWN + SLACK:
            row.late.append(f"known down after {KNOWN_DOWN:.0f} s")
    rest = row.t0 + fault.hold - stage.now()
    if rest > 0:
        stage.sleep(rest)
    if fault.back:
        row.back, _ = do(stage, fault.back)

    def data():
        found = [stage.first_data(s, row.back) for s in hit]
        return None if None in found else max(found)

    came = stage.wait(DATA_AGAIN + 60, data, until=row.back)
    row.again = came - row.back if came else None
    if came is None:
        row.missed.append("no data again")
    elif row.again > DATA_AGAIN + SLACK:
        row.late.append(f"data again after {DATA_AGAIN:.0f} s")
    row.recovery = levels(before, stage.counters())
    stage.sleep(fault.calm)
    row.end = stage.now()
    hurt = [s.name for s in (STRAPS if fault.unnoticed else others) if stage.first_down(s, row.t0, not fault.unnoticed)]
    if hurt:
        row.late.append(f"strap {' '.join(hurt)} was told as down")
    return row


def thirty(stage):
    """A strap whose connection parameters the kernel refuses: its links end after 30 s, and that is named."""
    row = Row("drops every 30 s", "A")
    settle(stage)
    before = stage.counters()
    row.begin = stage.now()
    row.t0, _ = do(stage, "sim A drops 29.5")
    hit = STRAPS[0]
    # the link that stands already lives longer; the three after it are named, with a longer brake before each
    if not stage.wait(4 * (30 + DATA_AGAIN), lambda: every(stage, 3) and stage.cause(hit) == "drops_after_30_s"):
        row.missed.append(f"the cause is told as {stage.cause(hit)}")
    row.back, _ = do(stage, "sim A keeps")
    # after three drops it is braked on purpose; what counts is that it comes back
    came = stage.wait(60, lambda: stage.first_data(hit, row.back))
    row.again = came - row.back if came else None
    if came is None:
        row.missed.append("no data again")
    row.recovery = levels(before, stage.counters())
    stage.sleep(2)
    row.end = stage.now()
    hurt = [s.name for s in STRAPS[1:] if stage.first_down(s, row.t0)]
    if hurt:
        row.late.append(f"strap {' '.join(hurt)} was told as down")
    return row


def every(stage, seconds):
    """Asks for something costly only now and then."""
    due = stage.now() - getattr(stage, "asked", 0.0) >= seconds
    if due:
        stage.asked = stage.now()
    return due


def seven(stage):
    """Four more straps are adopted while hrvd runs, up to the seven that an adapter carries, and forgotten again."""
    row = Row("four more adopted, forgotten", "DEFG", deaf=True)
    settle(stage)
    before = stage.counters()
    row.begin = row.t0 = stage.now()
    early = [s.name for s in GUESTS if stage.last(s, "connected")]
    if early:
        row.missed.append(f"strap {' '.join(early)} was connected before anybody adopted it")
    for s in GUESTS:
        _, row.back = do(stage, json.dumps({"op": "adopt", "address": s.address, "athlete": s.athlete}))
    came = stage.wait(4 * DATA_AGAIN, lambda: all(stage.delivering(s) for s in ALL))
    row.again = stage.now() - row.back if came else None
    if not came:
        row.missed.append("seven straps do not deliver together")
    elif row.again > DATA_AGAIN + SLACK:
        row.late.append(f"data after {DATA_AGAIN:.0f} s")
    stage.sleep(5)
    hurt = [s.name for s in ALL if stage.first_down(s, stage.now() - 5)]
    if hurt:
        row.late.append(f"strap {' '.join(hurt)} was told as down")
    row.t0 = stage.now()  # from here on nobody listens to them
    for s in GUESTS:
        _, gone = do(stage, json.dumps({"op": "forget", "address": s.address}))
    if stage.wait(KNOWN_DOWN + SLACK, lambda: all(map(stage.is_free, GUESTS)), until=gone) is None:
        row.missed.append("a forgotten strap is still connected")
    row.down = max(stage.last(s, "disconnected")["w"] for s in GUESTS) - gone if not row.missed else None
    stage.sleep(6)
    if not all(map(stage.is_free, GUESTS)):
        row.missed.append("a forgotten strap was connected again")
    row.recovery = levels(before, stage.counters())
    row.end = stage.now()
    hurt = [s.name for s in STRAPS if stage.first_down(s, row.begin)]
    if hurt:
        row.late.append(f"strap {' '.join(hurt)} was told as down")
    return row


def steady(stage, seconds):
    """All straps deliver and nothing happens. It is too long to be played again because the host was busy."""
    settle(stage)
    row = Row(f"three straps, {seconds / 60:g} min", begin=stage.now(), t0=stage.now())
    stage.sleep(seconds)
    row.end = stage.now()
    hurt = [s.name for s in STRAPS if stage.first_down(s, row.t0)]
    stall = stage.longest_stall(row.t0, row.end)
    if hurt and stall < STILL:
        row.missed.append(f"strap {' '.join(hurt)} was told as down")
    elif hurt:
        row.recovery = f"the guest stood still for {stall:.1f} s"
    return row


def reconnects(stage, count):
    """Straps lose their adapter and come back, over and over: memory and descriptors must not grow."""
    cycle = Fault("", "ABC", POWERED.format("false"), POWERED.format("true"), 1, deaf=True, calm=0.5)
    total = Row(f"{count} reconnects", "ABC", deaf=True)
    rounds, worst, rows = -(-count // len(STRAPS)), 0.0, []
    for n in range(rounds + 1):
        row = play(stage, cycle)
        total.missed += [f"round {n}: {m}" for m in row.missed]
        total.late += [f"round {n}: {m}" for m in row.late]
        total.down = max(total.down or 0.0, row.down or 0.0)
        worst = max(worst, row.again or 0.0)
        rows.append(row)
        if n == 0:
            before = stage.process()  # warm
    after = stage.process()
    total.begin = total.t0 = rows[0].t0
    total.end, total.again = rows[-1].end, worst
    total.recovery = f"rss {before['rss_kb']}->{after['rss_kb']} kB, fds {before['fds']}->{after['fds']}"
    if after["pid"] != before["pid"]:
        total.missed.append("hrvd was restarted")
    if after["fds"] > before["fds"] + 2 or after["rss_kb"] > before["rss_kb"] + 2048:
        total.missed.append("memory or descriptors grew")
    return total, rows
