"""What goes wrong, and how it is played."""

from dataclasses import dataclass, field

from guest import GuestDied
from stage import STRAPS

KNOWN_DOWN = 6.0  # s, at most
DATA_AGAIN = 15.0  # s after the strap or the service is back, at most
SLACK = 0.5  # s, for a loaded machine: the guest's processes share it with others

POWERED = """for i in $(seq 100); do
busctl set-property org.bluez /org/bluez/hci0 org.bluez.Adapter1 Powered b {} && exit 0; sleep 0.1; done; exit 1"""
NEW_BLUETOOTHD = """old=$(pidof bluetoothd); {}
for i in $(seq 300); do new=$(pidof bluetoothd) && [ "$new" != "$old" ] && busctl -q status org.bluez && exit 0
sleep 0.1; done >/dev/null 2>&1; exit 1"""
RFKILL = 'for d in /sys/class/rfkill/*; do [ "$(cat $d/type)" = bluetooth ] && echo {} > $d/soft; done; true'


@dataclass
class Fault:
    """`strike` and `back` are commands for the straps ("sim ...") or shell scripts for the guest."""

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


FAULTS = [
    Fault("strap disconnects", "A", "sim A disconnect"),
    Fault("strap vanishes, returns", "B", "sim B vanish 2", "sim B appear", 10),
    Fault("strap fades, link survives", "C", "sim C vanish 30", "sim C appear", 9),
    Fault("strap refuses", "A", "sim A refuse; sim A disconnect", "sim A accept", 26),
    Fault("strap stalls", "B", "sim B stall", "sim B resume", 12),
    Fault("beats held, then a burst", "C", "sim C hold", "sim C resume", 8),
    Fault("malformed notifications", "A", "sim A raw - 16 173c 163c05 1e3c00 ff", unnoticed=True, hold=3),
    Fault("all straps vanish", "ABC", "sim * vanish 2", "sim * appear", 6),
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
    missed: list = field(default_factory=list)
    expected: int = 0
    lost: int = 0
    unheard: int = 0


def do(stage, script):
    """Plays a script; returns when it began and ended by the guest's clock."""
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


def settle(stage):
    """Waits until all straps deliver, and a little longer."""
    if stage.wait(90, stage.all_delivering) is None:
        return False
    stage.sleep(2)
    return True


def play(stage, fault):
    """One fault from the first blow until data flows again."""
    row = Row(fault.name, fault.hit, deaf=fault.deaf)
    hit = [s for s in STRAPS if s.name in fault.hit]
    others = [s for s in STRAPS if s.name not in fault.hit]
    if not settle(stage):
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
            row.missed.append(f"known down after {KNOWN_DOWN:.0f} s")
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
    if came is None or row.again > DATA_AGAIN + SLACK:
        row.missed.append(f"data again after {DATA_AGAIN:.0f} s")
    row.recovery = levels(before, stage.counters())
    stage.sleep(2)
    row.end = stage.now()
    hurt = [s.name for s in (STRAPS if fault.unnoticed else others) if stage.first_down(s, row.t0, not fault.unnoticed)]
    if hurt:
        row.missed.append(f"strap {' '.join(hurt)} was told as down")
    return row


def steady(stage, seconds):
    """All straps deliver and nothing happens."""
    settle(stage)
    row = Row(f"three straps, {seconds / 60:g} min", begin=stage.now(), t0=stage.now())
    stage.sleep(seconds)
    row.end = stage.now()
    hurt = [s.name for s in STRAPS if stage.first_down(s, row.t0)]
    if hurt:
        row.missed.append(f"strap {' '.join(hurt)} was told as down")
    return row


def reconnects(stage, count):
    """Straps lose their adapter and come back, over and over: memory and descriptors must not grow."""
    cycle = Fault("", "ABC", POWERED.format("false"), POWERED.format("true"), 1, deaf=True)
    total = Row(f"{count} reconnects", "ABC", deaf=True)
    rounds, worst, rows = -(-count // len(STRAPS)), 0.0, []
    for n in range(rounds + 1):
        row = play(stage, cycle)
        total.missed += [f"round {n}: {m}" for m in row.missed]
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
