"""The power goes in the middle of a check: what is left when it comes back."""

import sqlite3

import truth
from faults import Row, do, settle
from guest import GuestDied
from stage import STRAPS

LOST = 10.0  # s of heart rate, at most
PERIOD = 1.0  # s between notifications: the newest may just have been due
RUNNING = 35.0  # s of check before the cut


def power_cut(stage, kernel, disk, program):
    """Starts hrvd and a check, takes the guest's power away, boots it again and looks at the store."""
    guest, row = stage.guest, Row("power cut in a check", "ABC")
    guest.sh("systemctl start hrvd")
    if not settle(stage):
        row.missed.append("straps do not deliver before the cut")
    do(stage, '{"op":"start_check","athlete":"anna"}')
    row.begin = stage.now()
    stage.sleep(RUNNING)
    if not any(c["phase"] in ("settling", "recording") for c in stage.status().get("checks", [])):
        row.missed.append("no check was running")
    guest.keep_journal("before-the-cut")
    guest.cut()
    stage.poll()
    row.t0 = row.end = stage.now()
    guest.start(kernel, disk)
    guest.sh("systemctl start dbus bluetooth; systemctl start hrvd")
    healthy = stage.status().get("store_ok")
    guest.sh("systemctl stop hrvd; cp -r /var/lib/hrvd /lab/cut")
    if not healthy:
        row.missed.append("the store is not well after it")
    judge(stage, row, program)
    return row


def judge(stage, row, program):
    store = stage.guest.share / "cut"
    with sqlite3.connect(store / "hrvd.db") as db:
        state = db.execute("PRAGMA integrity_check").fetchone()[0]
    if state != "ok" or list(store.glob("*.corrupt-*")):
        row.missed.append(f"the database is damaged: {state}")
    worst = 0.0
    for strap in STRAPS:
        newest = truth.recordings(program, store, strap)[-1]
        stored = [hexes for _, _, _, hexes in truth.packets(program, store, newest["id"])]
        sent = [(e["w"], e["hex"] or "-", e["rr"]) for e in stage.truth.items
                if e["ev"] == "sent" and e["strap"] == strap.name and row.begin <= e["w"]]
        wanted = [hexes for _, hexes, _ in sent]
        kept = next((n for n in range(len(wanted), 0, -1) if stored[-n:] == wanted[:n]), 0)
        if not kept:
            row.missed.append(f"strap {strap.name}: a hole in what was stored during the check")
        row.expected += sum(len(rr) for _, _, rr in sent)
        row.lost += sum(len(rr) for _, _, rr in sent[kept:])
        worst = max(worst, row.t0 - sent[kept - 1][0] if kept else row.t0 - row.begin)
    row.recovery = f"{worst:.1f} s lost"
    if worst > LOST + PERIOD:
        row.missed.append(f"more than {LOST:.0f} s are lost")
