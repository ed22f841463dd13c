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
import faults
import truth
from guest import Guest, GuestDied
from stage import Stage

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
    minutes, count = (10, 100) if args.all else (3, 20)
    todo = [(f.name, f) for f in faults.FAULTS]
    todo += [("reconnects", count), ("steady", minutes * 60)]
    return [(n, what) for n, what in todo if not args.only or any(o in n for o in args.only)]


def show(row):
    seconds = lambda x: "" if x is None else f"{x:.1f} s"  # noqa: E731
    lost = f"{row.lost}/{row.expected}" + (f" (+{row.unheard})" if row.unheard else "")
    state = "ok" if not row.missed else "MISSED: " + "; ".join(row.missed)
    print(f"{row.name:<29} {row.hit:<4} {seconds(row.down):>7} {seconds(row.again):>7}  {lost:<14} {row.recovery:<16} {state}")


def run_suite(lab, suite, args):
    """Boots one guest and plays everything in it; returns how many passed and failed."""
    guest = Guest(lab, suite)
    rows, windows, keep = [], [], args.keep
    try:
        guest.boot(build.kernel(lab), build.image(lab, suite), build.wheels(lab, suite), args.program)
        build.say(f"{suite}: guest up after {guest.boot_seconds:.1f} s")
        stage = Stage(guest, trace=args.keep)
        began = time.monotonic()
        stage.start()
        if stage.wait(60, stage.all_delivering) is None:
            raise GuestDied("the straps never delivered")
        build.say(f"{suite}: all straps deliver after another {time.monotonic() - began:.1f} s")
        memory = stage.process()
        for name, what in plan(args):
            began = time.monotonic()
            if name == "reconnects":
                row, cycles = faults.reconnects(stage, what)
                windows += cycles
            elif name == "steady":
                row = faults.steady(stage, what)
            else:
                row = faults.play(stage, what)
                windows.append(row)
            rows.append(row)
            build.say(f"{suite}: {name}: {'ok' if not row.missed else row.missed} ({time.monotonic() - began:.0f} s)")
        stage.finish(args.program)
        verdict = truth.judge(stage, args.program, rows, windows)
        truth.shown(stage, verdict)
        return report(guest, memory, rows, verdict)
    except GuestDied as e:
        build.say(f"{suite}: {e}")
        keep = True
        return len([r for r in rows if not r.missed]), 1 + len([r for r in rows if r.missed])
    finally:
        if keep and guest.runs():
            guest.ask(sh="journalctl -o short-unix > /lab/journal.log")
            build.say(f"{suite}: logs are in {guest.share}")
        guest.end(keep)


def report(guest, memory, rows, verdict):
    print(f"\n{guest.suite}, booted in {guest.boot_seconds:.1f} s; memory at first {memory['rss_kb']} kB")
    print(f"{'fault':<29} {'hit':<4} {'known':>7} {'again':>7}  {'RR lost/sent':<14} {'recovery':<16}")
    for row in rows:
        if row.lost:
            row.missed.append(f"{row.lost} RR lost while connected")
        show(row)
    print("(+n): RR sent while nobody was there to take them, marked as a gap")
    for fact in verdict.facts:
        print(f"- {fact}")
    for miss in verdict.missed:
        print(f"- MISSED: {miss}")
    failed = len([r for r in rows if r.missed]) + len(verdict.missed)
    return len([r for r in rows if not r.missed]) + (not verdict.missed), failed


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
    suites = [args.suite] if args.suite else ["trixie", "bookworm"] if args.all else ["trixie"]
    lock = open(lab / "lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be building
        build.kernel(lab)
        for suite in suites:
            build.wheels(lab, suite)
            build.image(lab, suite)
    except build.Impossible as e:
        skip(e)
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
    passed = failed = 0
    for suite in suites:
        p, f = run_suite(lab, suite, args)
        passed, failed = passed + p, failed + f
    print(f"\nlab: {passed} passed, {failed} failed\n{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
