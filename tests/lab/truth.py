"""Afterwards: what the straps sent against what the store holds and MQTT showed."""

import bisect
import json
import os
import sqlite3
import struct
import subprocess
from dataclasses import dataclass, field

from stage import ALL

IN_FLIGHT = 0.1  # s: what was sent so shortly before the air went dead may be lost with it
LATE = 5.0  # s: how late a notification may arrive; equal ones are told apart by it
SILENT = 7.0  # s without a notification must have been told: hrvd says six
FRESH = 6.5  # s, the age of a heart rate when it is published
STALL = 0.7  # s that the whole guest may stand still and be judged all the same


@dataclass
class Frame:
    """A notification: as it was sent, and when it was stored if it was."""

    w: float
    hex: str
    rr: list
    first: int | None
    reach: bool
    stored: float | None = None


@dataclass
class Verdict:
    frames: dict = field(default_factory=dict)
    missed: list = field(default_factory=list)
    facts: list = field(default_factory=list)


def export(program, store, *what):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HRVD_")}
    env = clean | {"HRVD__STORE__PATH": str(store / "hrvd.db"), "HRVD__CONTROL__SOCKET": str(store / "no.sock")}
    done = subprocess.run([program, "export", *what], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"hrvd export {' '.join(what)}: {done.stderr}")
    return done.stdout


def recordings(program, store, strap):
    """What there is of a strap, oldest first."""
    all_of_them = [json.loads(x) for x in export(program, store, "recordings", "--format", "jsonl").splitlines()]
    return sorted((r for r in all_of_them if r["strap"] == strap.address), key=lambda r: r["id"])


def packets(program, store, recording):
    """The notifications of a recording as they were stored."""
    lines = export(program, store, "recording", "--id", str(recording)).splitlines()
    return [line.split() for line in lines if line.startswith("packet")]


def rr_of(hexes):
    """Intervals of a notification by the Heart Rate Service's specification; of a cut one, those that are whole."""
    data = b"" if hexes == "-" else bytes.fromhex(hexes)
    if not data or not data[0] & 0x10:
        return []
    at = 1 + (2 if data[0] & 1 else 1) + (2 if data[0] & 8 else 0)
    body = data[at:]
    return list(struct.unpack(f"<{len(body) // 2}H", body[: len(body) // 2 * 2]))


def judge(stage, program, rows, windows):
    """Fills in the rows' losses and returns what is wrong beyond them."""
    verdict = Verdict()
    events = stage.truth.items
    offset = next(e["w"] - e["t"] for e in events)
    store = stage.guest.share / "store"
    with sqlite3.connect(store / "hrvd.db") as db:
        state = db.execute("PRAGMA integrity_check").fetchone()[0]
        count = db.execute("SELECT coalesce(sum(n), 0) FROM packet_chunk").fetchone()[0]
    if state != "ok":
        verdict.missed.append(f"the database is damaged: {state}")
    total = 0
    for strap in ALL:
        sent = [
            Frame(e["w"], e["hex"] or "-", e["rr"], e["first"], e["reach"])
            for e in events
            if e["ev"] == "sent" and e["strap"] == strap.name
        ]
        verdict.frames[strap.name] = sent
        ghosts, at = 0, 0
        for recording in recordings(program, store, strap):
            stored = packets(program, store, recording["id"])
            total += len(stored)
            found = []
            for _, us, _, hexes in stored:
                w = int(us) / 1e6 + offset
                match = at
                while match < len(sent) and (sent[match].hex != hexes or sent[match].w < w - LATE):
                    match += 1
                if match == len(sent) or sent[match].w > w + IN_FLIGHT:
                    ghosts += 1
                    continue
                sent[match].stored = w
                found.append(sent[match])
                at = match + 1
            rows_of = [json.loads(x) for x in
                       export(program, store, "beats", "--id", str(recording["id"]), "--format", "jsonl").splitlines()]
            verdict.missed += [f"strap {strap.name}: {m}" for m in gaps(found, stored, rows_of)]
        if ghosts:
            verdict.missed.append(f"strap {strap.name}: {ghosts} notifications stored that were not sent, or twice")
        losses(strap, events, sent, rows, windows, verdict)
    if total != count:
        verdict.missed.append(f"export shows {total} packets, the database says {count}")
    verdict.facts.append(f"{total} notifications stored of {sum(map(len, verdict.frames.values()))} sent")
    return verdict


def losses(strap, events, sent, rows, windows, verdict):
    """Sorts what is not in the store: lost in the air, sent while nobody was there, or lost."""
    dead = [e["w"] for e in events if e["ev"] == "command" and ("vanish" in e["text"] or "unplug" in e["text"])]
    heard_from = [e["w"] for e in events if e["ev"] == "subscription" and e["strap"] == strap.name and e["on"]]
    spans = []
    for row in windows:
        if row.deaf and strap.name in row.hit:
            # from the blow until the strap was subscribed to again
            i = bisect.bisect(heard_from, row.t0)
            spans.append((row.t0 - IN_FLIGHT, heard_from[i] if i < len(heard_from) else row.end))
    for frame in sent:
        in_air = frame.reach and not any(w - IN_FLIGHT <= frame.w <= w for w in dead)
        deaf = any(a <= frame.w <= b for a, b in spans)
        inside = [r for r in rows if r.begin <= frame.w <= r.end][-1:]
        for row in inside:
            row.expected += len(frame.rr) if in_air and not deaf else 0
        if frame.stored is None and in_air:
            for row in inside:
                if deaf:
                    row.unheard += len(frame.rr)
                else:
                    row.lost += len(frame.rr) or 1
            if not deaf and not inside:
                verdict.missed.append(f"strap {strap.name}: a notification of {frame.w:.3f} is lost outside of any fault")


def gaps(found, stored, beats):
    """Between two stored notifications a gap is marked exactly if beats are missing."""
    wanted = [rr for p in stored for rr in rr_of(p[3])]
    got = [round(b["rr_ms"] * 1024 / 1000) for b in beats]
    if wanted != got:
        return [f"{len(wanted)} intervals stored, {len(got)} exported as beats, or in another order"]
    wrong, row, before, defect = [], 0, None, False
    for frame in found:
        if not frame.rr:
            defect |= frame.first is None
            continue
        marked = beats[row]["gap"]
        row += len(frame.rr)
        if before is not None:
            missing = frame.first - before
            if missing and marked is None:
                wrong.append(f"{missing} beats are missing before {frame.w:.3f} without a gap")
            if not missing and marked not in (None, "link_up") and not defect:
                wrong.append(f"a gap ({marked}) before {frame.w:.3f} where nothing is missing")
        before, defect = frame.first + len(frame.rr), False
    return wrong


def shown(stage, verdict):
    """Whether MQTT showed anything older than its expiry; and how long a notification took to a subscriber."""
    expiry = min(c["exp_aft"] for _, t, m in stage.mqtt.items if t.endswith("/config") for c in components(m))
    offline = [w for w, t, m in stage.mqtt.items if t == "hrvd/lab/status" and m == "offline"]
    latencies, stale, untold = [], 0, 0

    def stood_still(a, b):
        """The host gave the guest no time then: nobody in it could have said anything."""
        return stage.longest_stall(a, b) > STALL

    for strap in ALL:
        frames = [f for f in verdict.frames[strap.name] if f.stored is not None]
        times = [f.w for f in frames]
        topic = f"hrvd/lab/strap/{strap.slug}/availability"
        # an empty one takes the strap away
        gone = sorted(offline + [w for w, t, m in stage.mqtt.items if t == topic and m in ("offline", "")])
        live = stage.live(strap)
        for i, (w, message) in enumerate(live):
            if message["hr"] is None:
                continue
            newest = bisect.bisect(times, w) - 1
            following = [live[i + 1][0]] if i + 1 < len(live) else []
            end = min([w + expiry, *following, *gone[bisect.bisect(gone, w):][:1]])
            if newest < 0 or w - times[newest] > FRESH or end - times[newest] > expiry:
                stale += not stood_still(times[newest], end)
                continue
            # an interval tells which notification a message speaks of; one without may show an older interval
            while newest >= 0 and frames[newest].rr and round(frames[newest].rr[-1] * 1000 / 1024) != message["rr"]:
                newest -= 1
            if newest >= 0 and frames[newest].rr and w - times[newest] < SILENT:
                latencies.append(w - times[newest])
        for a, b in zip(times, [*times[1:], stage.now()]):
            told = bisect.bisect(gone, a)
            silent = b - a > SILENT and not (told < len(gone) and gone[told] <= a + SILENT)
            untold += silent and not stood_still(a, a + SILENT)
    if stale:
        verdict.missed.append(f"{stale} live values were shown older than they may be")
    if untold:
        verdict.missed.append(f"{untold} silences of more than {SILENT:.0f} s were not told by the availability")
    verdict.facts.append(f"{stale} stale values (a value expires after {expiry} s), {untold} silences not told")
    verdict.facts.append(f"the guest stood still for {stage.longest_stall():.2f} s at most")
    latencies.sort()
    if latencies:
        p50, p99 = (latencies[int(q * (len(latencies) - 1))] * 1000 for q in (0.5, 0.99))
        n = len(latencies)
        verdict.facts.append(f"notification to MQTT subscriber: p50 {p50:.1f} ms, p99 {p99:.1f} ms of {n}")
    else:
        verdict.missed.append("no live value could be traced to its notification")


def components(discovery):
    found = discovery.get("cmps", {}) if isinstance(discovery, dict) else {}
    return [c for c in found.values() if "exp_aft" in c]
