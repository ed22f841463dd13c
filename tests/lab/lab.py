"""The lab: hrvd as a real service on a real kernel, bluetoothd and broker, with simulated straps and played faults.

See docs/lab.md. Started by scripts/lab, which builds the program.
"""

import argparse
import ctypes
import fcntl
import getpass
import multiprocessing
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import build
import cut
import faults
import package
import truth
from guest import Guest, GuestDied, NoBoot
from stage import Stage

CUT = "power cut in a check"
PACKAGE = "package"
MINUTES = 10
RECONNECTS = 100
NEEDED = ("mmdebstrap", "mke2fs", "apt-get", "dpkg-deb")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/lab", description="plays faults on a real Bluetooth stack")
    parser.add_argument("--all", action="store_true", help="Debian 12 too, after Debian 13")
    parser.add_argument("--only", metavar="TEXT", action="append", help="only faults with this in their name")
    parser.add_argument("--suite", choices=sorted(build.PYTHON), help="only this Debian")
    parser.add_argument("--keep", action="store_true", help="leave the logs of the guests, and a trace of the HCI (btmon -r)")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    parser.add_argument("--program", type=Path, help="hrvd to test")
    parser.add_argument("--deb", type=Path, help="package to test instead; it is also upgraded, removed and purged")
    parser.add_argument("--package-only", action="store_true", help="nothing but that, on Debian 12 and 13")
    return parser.parse_args()


def plan(args):
    """What each guest has to do: names, with how. The guests run side by side, because they wait most of the time."""
    together, apart = [], []
    for fault in faults.FAULTS:
        (apart if fault.apart else together).append((fault.name, lambda stage, f=fault: faults.play(stage, f)))
    guests = {
        "faults": together,
        "counts": [
            *apart,
            ("drops every 30 s", faults.thirty),
            ("four more adopted, forgotten", faults.seven),
            ("reconnects", lambda stage: faults.reconnects(stage, RECONNECTS)),
            (CUT, None),
        ],
        "steady": [("three straps", lambda stage: faults.steady(stage, MINUTES * 60))],
    }
    if args.package_only:
        guests.clear()
    if args.deb:
        guests[PACKAGE] = [(step.__name__, None) for step in package.STEPS]
    wanted = {g: [(n, f) for n, f in todo if not args.only or any(o in n for o in args.only)] for g, todo in guests.items()}
    return {guest: todo for guest, todo in wanted.items() if todo}


@dataclass
class Seen:
    """What one guest was good for."""

    guest: str
    rows: list = field(default_factory=list)
    boot_seconds: float = 0.0
    memory: int = 0
    took: float = 0.0
    facts: list = field(default_factory=list)
    missed: list = field(default_factory=list)
    # it never came up
    no_boot: bool = False


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
        build.say(f"{stage.guest}: {name}: {what} ({time.monotonic() - began:.0f} s)")
        if not row.forgiven or row.missed:
            return


def run_guest(lab, suite, args, name):
    """Boots one guest, plays everything that it has to do, and judges it."""
    began = time.monotonic()
    guest, seen = Guest(lab, suite, name), Seen(name)
    rows, windows, keep = seen.rows, [], args.keep
    kernel, disk = build.kernel(lab), build.image(lab, suite)
    todo = plan(args)[name]
    try:
        if args.deb:
            package.prepare(guest, args.deb)
        guest.boot(kernel, disk, build.wheels(lab, suite), args.program)
        seen.boot_seconds = guest.boot_seconds
        build.say(f"{guest}: up after {guest.boot_seconds:.1f} s")
        if name == PACKAGE:
            rows += package.play(guest)
            keep |= any(failed(row) for row in rows)
            seen.took = time.monotonic() - began
            return seen
        stage = Stage(guest, trace=args.keep)
        started = time.monotonic()
        stage.start()
        if stage.wait(60, stage.all_delivering) is None:
            raise GuestDied("the straps never delivered")
        build.say(f"{guest}: all straps deliver after another {time.monotonic() - started:.1f} s")
        seen.memory = stage.process()["rss_kb"]
        for what, act in todo:
            if act is not None:
                play(stage, what, act, rows, windows)
        stopped, held = stage.finish()
        # what a strap sends until it is unsubscribed finds nobody any more
        windows.append(faults.Row("stop", "ABCDEFG", t0=stopped, end=stage.now(), deaf=True))
        verdict = truth.judge(stage, args.program, rows, windows)
        truth.shown(stage, verdict)
        if held:
            verdict.missed.append(f"strap {' '.join(held)} was not let go at the end of the service")
        seen.facts, seen.missed = verdict.facts, verdict.missed
        for row in rows:
            if row.lost:
                row.missed.append(f"{row.lost} RR lost while connected")
        if any(what == CUT for what, _ in todo):
            rows.append(cut.power_cut(stage, kernel, disk, args.program))
            build.say(f"{guest}: {CUT}: {rows[-1].missed or 'ok'}")
        keep |= any(failed(row) for row in rows) or bool(seen.missed)
        seen.took = time.monotonic() - began
        return seen
    except GuestDied as e:
        e.rows = rows
        keep = True
        raise
    finally:
        if keep and guest.runs():
            guest.keep_journal("journal")
        if keep:
            (guest.dir / "keep").touch()
            build.say(f"{guest}: logs are in {guest.share}")
        guest.end(keep)


def failed(row):
    return bool(row.missed or (row.late and not row.forgiven))


def report(suite, guests):
    """Prints what was seen in a Debian's guests; returns how many passed and failed."""
    booted = ", ".join(f"{g.guest} {g.boot_seconds:.1f} s" for g in guests)
    print(f"\n{suite}, booted in: {booted}; memory at first {max(g.memory for g in guests)} kB")
    print(f"{'fault':<29} {'hit':<4} {'known':>7} {'again':>7}  {'RR lost/sent':<14} {'recovery':<16}")
    for row in (row for g in guests for row in g.rows):
        show(row)
    print("(+n): RR sent while nobody was there to take them, marked as a gap")
    passed = bad = 0
    for g in guests:
        for fact in g.facts:
            print(f"- {g.guest}: {fact}")
        for miss in g.missed:
            print(f"- {g.guest}: MISSED: {miss}")
        print(f"- {g.guest}: took {g.took:.0f} s")
        wrong = len([row for row in g.rows if failed(row)])
        passed += len(g.rows) - wrong + (not g.missed)
        bad += wrong + len(g.missed)
    return passed, bad


def skip(why):
    """Aloud, and without failing: unless HRVD_LAB_REQUIRED asks for more."""
    print(f"lab: SKIPPED, nothing was tested: {why}")
    print("lab: 0 passed, 0 failed, 1 skipped\n0 passed, 0 failed")
    sys.exit(1 if os.environ.get("HRVD_LAB_REQUIRED") == "1" else 0)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a guest does not outlive us
    args = arguments()
    if args.list:
        print("\n".join(name for todo in plan(args).values() for name, _ in todo))
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
    both = args.all or args.package_only
    suites = [args.suite] if args.suite else ["trixie", "bookworm"] if both else ["trixie"]
    if args.deb:
        args.program = package.unpack(lab, args.deb)
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
        began = time.monotonic()
        guests = side_by_side(lab, suite, args)
        if all(g.no_boot for g in guests):
            skip(f"the {suite} guest does not boot here")
        p, f = report(suite, guests)
        print(f"- {suite}: {(time.monotonic() - began) / 60:.1f} minutes")
        passed, failures = passed + p, failures + f
    print(f"\nlab: {passed} passed, {failures} failed\n{passed} passed, {failures} failed")
    sys.exit(1 if failures else 0)


def side_by_side(lab, suite, args):
    """Runs all guests of a Debian at once, each with a process of ours."""
    fork, workers = multiprocessing.get_context("fork"), []
    try:
        for name in plan(args):
            result, end = fork.Pipe(duplex=False)
            # a daemon: it is told to end when we do
            worker = fork.Process(target=work, args=(end, lab, suite, args, name), daemon=True)
            worker.start()
            end.close()
            workers.append((name, worker, result))
        return [received(name, result) for name, _, result in workers]
    finally:
        for _, worker, _ in workers:
            worker.terminate()
            worker.join()


def received(name, result):
    try:
        return result.recv()
    except EOFError:
        return Seen(name, missed=["its process ended"])


def work(end, lab, suite, args, name):
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: whatever ends our parent
    end.send(twice(lab, suite, args, name))


def twice(lab, suite, args, name):
    """A guest that dies is no fault of hrvd: then once more from the start. What hrvd did wrong before that counts."""
    for again in (False, True):
        try:
            return run_guest(lab, suite, args, name)
        except NoBoot as e:
            build.say(f"{suite} {name}: {e}")
            if again:
                return Seen(name, missed=["did not boot"], no_boot=True)
        except GuestDied as e:
            build.say(f"{suite} {name}: {e}")
            if again or any(failed(row) for row in e.rows):
                return Seen(name, rows=e.rows, missed=["the guest died"])
    raise AssertionError("unreachable")


if __name__ == "__main__":
    main()
