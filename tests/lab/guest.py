"""A running guest: boot, ask, read its logs, end."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

import build

BOOT_LIMIT = 240  # s of the host's clock; a quiet machine needs 14
ASK_LIMIT = 180
MEMORY = "768M"


class GuestDied(Exception):
    """The kernel or something that nothing works without is gone."""


class NoBoot(GuestDied):
    """The guest never came up: hrvd was not even started."""


def die_with_us():
    """Runs in the guest's process: it ends when we do, whatever ends us."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Answer:
    def __init__(self, data):
        self.t0, self.t1, self.rc, self.out = data["t0"], data["t1"], data["rc"], data["out"]


class Lines:
    """A log that grows; `poll` reads what was added."""

    def __init__(self, path, parse):
        self.path, self.parse, self.at, self.items = path, parse, 0, []

    def poll(self):
        if self.path.exists():
            with open(self.path, "rb") as f:
                f.seek(self.at)
                data = f.read()
            whole = data[: data.rfind(b"\n") + 1]
            self.at += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                item = self.parse(line)
                if item is not None:
                    self.items.append(item)
        return self.items


class Guest:
    """One User Mode Linux process, its disk changes and the directory it shares with us."""

    def __init__(self, lab, suite, name):
        self.suite, self.lab, self.name = suite, lab, name
        tried = len(list(lab.glob(f"run-{suite}-{name}-*-{os.getpid()}")))
        self.dir = lab / f"run-{suite}-{name}-{tried + 1}-{os.getpid()}"
        self.share = self.dir / "share"
        self.process = None
        self.number = 0
        self.boot_seconds = None

    def __str__(self):
        return f"{self.suite} {self.name}"

    def boot(self, kernel, disk, site, program):
        (self.share / "jobs").mkdir(parents=True, exist_ok=True)
        for name in ("agent.py", "radio.py", "straps.py"):
            shutil.copy(build.HERE / "guest" / name, self.share)
        shutil.copytree(site, self.share / "site")
        shutil.copy(program, self.share / "hrvd")
        if not (self.share / "hrvd.deb").exists():
            shutil.copy(build.REPO / "systemd/hrvd.service", self.share)
        self.start(kernel, disk)

    def start(self, kernel, disk):
        """Switches the guest on. What it wrote to its disk before is there."""
        for left in (self.share / "jobs").iterdir():
            left.unlink()
        env = os.environ | {"TMPDIR": build.memory_dir(self.lab)}
        command = [
            kernel, f"ubd0={self.dir}/changes.cow,{disk}", "root=/dev/ubda", "rw", f"mem={MEMORY}",
            "con=null", "con0=null,fd:1", "ssl=null", f"labshare={self.share}", f"uml_dir={self.dir}/", "umid=uml",
            "quiet", "audit=0", "panic=-1", "systemd.show_status=0",
        ]  # fmt: skip
        began = time.monotonic()
        with open(self.dir / "console.log", "ab") as console:
            # a session of its own: UML is several processes and ends as one
            self.process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=env,
                start_new_session=True, preexec_fn=die_with_us,
            )  # fmt: skip
        while not (self.share / "jobs/ready").exists():
            if not self.runs():
                raise NoBoot("the guest ended while it booted:\n" + self.console(25))
            if time.monotonic() - began > BOOT_LIMIT:
                raise NoBoot(f"not up after {BOOT_LIMIT} s:\n" + self.console(25))
            time.sleep(0.1)
        self.boot_seconds = time.monotonic() - began

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def console(self, lines):
        text = (self.dir / "console.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _alive(self):
        if not self.runs():
            raise GuestDied("the guest ended:\n" + self.console(25))

    def ask(self, **what):
        """Has the agent do something and waits for its answer."""
        self.number += 1
        name = f"{self.number:05}"
        path = self.share / "jobs" / name
        path.with_suffix(".new").write_text(json.dumps(what))
        path.with_suffix(".new").rename(path.with_suffix(".req"))
        limit = time.monotonic() + ASK_LIMIT
        result = path.with_suffix(".res")
        while not result.exists():
            self._alive()
            if time.monotonic() > limit:
                raise GuestDied(f"no answer in {ASK_LIMIT} s to {what}")
            time.sleep(0.03)
        data = json.loads(result.read_text())
        result.unlink()
        return Answer(data)

    def sh(self, script):
        """Runs a shell script that must work."""
        answer = self.ask(sh=script)
        if answer.rc:
            raise GuestDied(f"exit code {answer.rc} of: {script}\n{answer.out}")
        return answer

    def keep_journal(self, name):
        """Writes the guest's journal to the share; what hrvd says also with its fields."""
        self.ask(sh=f"journalctl -o short-unix > /lab/{name}.log; journalctl -u hrvd -o json > /lab/{name}.json")

    def cut(self):
        """Cuts the power: what the guest did not write to its disk yet is gone."""
        if self.runs():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def end(self, keep):
        """Ends the guest; without `keep` its files go too."""
        self.cut()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)
