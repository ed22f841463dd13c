"""The lab: hrvd as a real service on a real kernel, bluetoothd and broker, with simulated straps and played faults.

See docs/lab.md. Started by scripts/lab, which builds the program.
"""

import argparse
import fcntl
import getpass
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import build
import cut
import faults
import truth
from guest import Guest, GuestDied, NoBoot
from stage import Stage

CUT = "power cut in a check"
NEEDED = ("mmdebstrap", "mke2fs", "apt-get", "dpkg-deb")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/lab", description="plays faults on a real Bluetooth stack")
    parser.add_argument("--all", action="store_true", help="Debian 12 too, 10 minutes of three straps, 100 reconnects")
    parser.add_argument("--only", metavar="TEXT", action="append", help="only faults with this in their name")
    parser.add_argument("--suite", choices=sorted(build.PYTHON), help="only this Debian")
    parser.add_argument("--keep", action="store_true", help="leave the logs of the guests, and a trace of the HCI (btmon -r)")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    parser.add_argument("--program", type=Path, help="hrvd to test")
    return parser.parse_args()


def plan(args):
    """Names of what is to be done, with how."""
    minutes, count = (10, 100) if args.all else (0.5, 12)
    todo = [(f.name, lambda stage, f=f: faults.play(stage, f)) for f in faults.FAULTS]
    todo += [
        ("drops every 30 s", faults.thirty),
        ("four more adopted, forgotten", faults.seven),
        ("reconnects", lambda stage: faults.reconnects(stage, count)),
        ("steady", lambda stage: faults.steady(stage, minutes * 60)),
        (CUT, None),
    ]
    return [(n, what) for n, what in todo if not args.only or any(o in n for o in args.only)]


def show(row):
    seconds = lambda x: "" if x is None else f"{x:.1f} s"  # noqa: E731
    lost = f"{row.lost}/{row.expected}" + (f" (+{row.unheard})" if row.unheard else "")
    wrong = row.missed + ([] if row.forgiven else row.late)
    state = "MISSED: " + "; ".join(wrong) if wrong else "ok" if not row.late else "late, played again: " + "; ".join(row.late)
    print(f"{row.name:<29} {row.hit:<4} {seconds(row.down):>7} {seconds(row.again):>7}  {lost:<14} {row.recovery:<16} {state}")


def play(stage, name, act, rows, windows):
    """Plays a row; one that was only late is played once more, because a loaded host makes everything late."""
    for again in (False, True):
        began = time.monotonic()
        row = act(stage)
        row, cycles = row if isinstance(row, tuple) else (row, [row])
        windows += cycles
        rows.append(row)
        row.forgiven = bool(row.late) and not again
        what = row.missed + row.late or "ok"
        build.say(f"{stage.guest.suite}: {name}: {what} ({time.monotonic() - began:.0f} s)")
        if not row.forgiven or row.missed:
            return


def run_suite(lab, suite, args):
    """Boots one guest and plays everything in it; returns how many passed and failed."""
    guest = Guest(lab, suite)
    rows, windows, keep = [], [], args.keep
    kernel, disk = build.kernel(lab), build.image(lab, suite)
    todo = plan(args)
    try:
        guest.boot(kernel, disk, build.wheels(lab, suite), args.program)
        build.say(f"{suite}: guest up after {guest.boot_seconds:.1f} s")
        boot_seconds = guest.boot_seconds
        stage = Stage(guest, trace=args.keep)
        began = time.monotonic()
        stage.start()
        if stage.wait(60, stage.all_delivering) is None:
            raise GuestDied("the straps never delivered")
        build.say(f"{suite}: all straps deliver after another {time.monotonic() - began:.1f} s")
        memory = stage.process()
        for name, act in todo:
            if act is not None:
                play(stage, name, act, rows, windows)
        stopped, held = stage.finish()
        # what a strap sends until it is unsubscribed finds nobody any more
        windows.append(faults.Row("stop", "ABCDEFG", t0=stopped, end=stage.now(), deaf=True))
        verdict = truth.judge(stage, args.program, rows, windows)
        truth.shown(stage, verdict)
        if held:
            verdict.missed.append(f"strap {' '.join(held)} was not let go at the end of the service")
        for row in rows:
            if row.lost:
                row.missed.append(f"{row.lost} RR lost while connected")
        if any(name == CUT for name, _ in todo):
            rows.append(cut.power_cut(stage, kernel, disk, args.program))
            build.say(f"{suite}: {CUT}: {rows[-1].missed or 'ok'}")
        keep |= any(failed(row) for row in rows) or bool(verdict.missed)
        return report(suite, boot_seconds, memory, rows, verdict)
    except GuestDied as e:
        e.rows = rows
        keep = True
        raise
    finally:
        if keep and guest.runs():
            guest.ask(sh="journalctl -o short-unix > /lab/journal.log")
        if keep:
            (guest.dir / "keep").touch()
            build.say(f"{suite}: logs are in {guest.share}")
        guest.end(keep)


def failed(row):
    return bool(row.missed or (row.late and not row.forgiven))


def report(suite, boot_seconds, memory, rows, verdict):
    print(f"\n{suite}, booted in {boot_seconds:.1f} s; memory at first {memory['rss_kb']} kB")
    print(f"{'fault':<29} {'hit':<4} {'known':>7} {'again':>7}  {'RR lost/sent':<14} {'recovery':<16}")
    for row in rows:
        show(row)
    print("(+n): RR sent while nobody was there to take them, marked as a gap")
    for fact in verdict.facts:
        print(f"- {fact}")
    for miss in verdict.missed:
        print(f"- MISSED: {miss}")
    bad = len([r for r in rows if failed(r)])
    return len(rows) - bad + (not verdict.missed), bad + len(verdict.missed)


def skip(why):
    """Aloud, and without failing: unless HRVD_LAB_REQUIRED asks for more."""
    print(f"lab: SKIPPED, nothing was tested: {why}")
    print("lab: 0 passed, 0 failed, 1 skipped\n0 passed, 0 failed")
    sys.exit(1 if os.environ.get("HRVD_LAB_REQUIRED") == "1" else 0)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a guest does not outlive us
    args = arguments()
    if args.list:
        print("\n".join(name for name, _ in plan(args)))
        return
    if os.geteuid() != 0:
        skip("needs root, to build and start a guest")
    if os.uname().machine != "x86_64":
        skip("User Mode Linux needs x86_64")
    missing = [p for p in NEEDED if not shutil.which(p)]
    if missing:
        skip(f"not installed: {', '.join(missing)}")
    lab = Path(os.environ.get("HRVD_LAB_DIR") or f"/var/tmp/hrvd-lab-{getpass.getuser()}")
    lab.mkdir(parents=True, exist_ok=True)
    for left in lab.glob("run-*"):  # by a run that was killed
        if not Path(f"/proc/{left.name.rsplit('-', 1)[1]}").exists() and not (left / "keep").exists():
            shutil.rmtree(left, ignore_errors=True)
    suites = [args.suite] if args.suite else ["trixie", "bookworm"] if args.all else ["trixie"]
    lock = open(lab / "lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be building
        build.probe(lab, build.kernel(lab))
        for suite in suites:
            build.wheels(lab, suite)
            build.image(lab, suite)
    except build.Impossible as e:
        skip(e)
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
    passed = failures = 0
    for suite in suites:
        p, f = twice(lab, suite, args)
        passed, failures = passed + p, failures + f
    print(f"\nlab: {passed} passed, {failures} failed\n{passed} passed, {failures} failed")
    sys.exit(1 if failures else 0)


def twice(lab, suite, args):
    """A guest that dies is no fault of hrvd: then once more from the start. What hrvd did wrong before that counts."""
    for again in (False, True):
        try:
            return run_suite(lab, suite, args)
        except NoBoot as e:
            build.say(f"{suite}: {e}")
            if again:
                skip(f"the {suite} guest does not boot here")
        except GuestDied as e:
            build.say(f"{suite}: {e}")
            bad = [row for row in e.rows if failed(row)]
            if again or bad:
                return len(e.rows) - len(bad), 1 + len(bad)
    raise AssertionError("unreachable")


if __name__ == "__main__":
    main()
