"""The Debian package under a real systemd: installed, misconfigured, stuck, upgraded, removed, purged."""

import shutil
import subprocess
import time

import build
from faults import Row

EXPOSURE = 1.1  # as `systemd-analyze security` counts
STUCK = 45.0  # s until a daemon that stands still is replaced: WatchdogSec=30 and a new start
SHOW = "systemctl show -P {} hrvd"
CONFFILE = "/etc/hrvd/hrvd.toml"


def unpack(lab, deb):
    """The program of a package, for this machine."""
    target = lab / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    build.run("dpkg-deb", "-x", str(deb), str(target))
    return target / "usr/bin/hrvd"


def prepare(guest, deb):
    """Lays the package, and a newer one with another conffile, where the guest finds them."""
    guest.share.mkdir(parents=True, exist_ok=True)
    shutil.copy(deb, guest.share / "hrvd.deb")
    newer = guest.dir / "newer"
    build.run("dpkg-deb", "-R", str(deb), str(newer))
    control = newer / "DEBIAN/control"
    lines = [f"{line}+lab" if line.startswith("Version:") else line for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    with open(newer / CONFFILE[1:], "a", encoding="utf-8") as f:
        f.write("# new in this version\n")
    build.run("dpkg-deb", "--root-owner-group", "-b", str(newer), str(guest.share / "newer.deb"))
    shutil.rmtree(newer)


class Wrong(Exception):
    """What was seen instead."""


def is_(seen, wanted, what):
    if seen != wanted:
        raise Wrong(f"{what}: {seen!r} instead of {wanted!r}")


def has(text, wanted, what):
    if wanted not in text:
        raise Wrong(f"{what}: no {wanted!r} in {text!r}")


class Machine:
    """Questions to the guest's systemd."""

    def __init__(self, guest):
        self.guest = guest

    def ask(self, script):
        """What a script says, and its exit code."""
        answer = self.guest.ask(sh=script)
        return answer.out.strip(), answer.rc

    def does(self, script):
        out, rc = self.ask(script)
        if rc:
            raise Wrong(f"exit code {rc} of {script!r}: {out[-600:]}")
        return out

    def show(self, key):
        return self.ask(SHOW.format(key))[0]

    def until(self, limit, what, condition):
        """Waits; returns how long by the guest's clock."""
        begin = self.guest.ask(sh="true").t0
        while not condition():
            now = self.guest.ask(sh="true").t0
            if now - begin > limit:
                raise Wrong(f"not within {limit:.0f} s: {what}")
            time.sleep(0.2)
        return self.guest.ask(sh="true").t0 - begin


def installs(m):
    """Without a line of configuration it is up, says what it misses, and may do almost nothing."""
    # the guest's disk knows a user of that name from before
    m.does("userdel hrvd 2>/dev/null; rm -rf /etc/hrvd /var/lib/hrvd; systemctl start dbus bluetooth; systemctl stop mosquitto")
    m.does("DEBIAN_FRONTEND=noninteractive dpkg -i /lab/hrvd.deb < /dev/null")
    is_(m.show("ActiveState"), "active", "service")
    is_(m.ask("systemctl is-enabled hrvd")[0], "enabled", "at boot")
    is_(m.does("stat -c '%a %U:%G' /var/lib/hrvd"), "700 hrvd:hrvd", "state directory")
    is_(m.does("stat -c '%a %U:%G' /etc/hrvd/credentials"), "700 root:root", "secrets' directory")
    has(m.does("id -nG hrvd").split(), "bluetooth", "groups of the user")
    # the guest has no adapter before the first strap
    m.until(30, "a status that says what is missing", lambda: m.show("StatusText").startswith("no Bluetooth adapter; MQTT down"))
    pid = m.show("MainPID")
    status = dict(line.split(":", 1) for line in m.does(f"cat /proc/{pid}/status").splitlines())
    for key, wanted in (("NoNewPrivs", "1"), ("Seccomp", "2"), ("CapEff", "0" * 16), ("CapBnd", "0" * 16)):
        is_(status[key].strip(), wanted, key)
    m.does("systemd-analyze verify --man=no hrvd.service")
    exposure = float(m.does("systemd-analyze security --no-pager hrvd | grep -o 'level for hrvd.service: [0-9.]*'").rsplit(" ", 1)[1])
    if exposure > EXPOSURE:
        raise Wrong(f"exposure {exposure}")
    m.does("hrvd config check && hrvd doctor --help > /dev/null")
    return f"exposure {exposure}"


def misconfigured(m):
    """A wrong configuration is an error in the journal, and nobody tries it again and again."""
    m.does(f"cp {CONFFILE} /lab/kept.toml; echo 'nonsense = 1' >> {CONFFILE}")
    since = m.does("date +%s.%N")
    m.ask("systemctl restart hrvd")
    is_(m.show("ExecMainStatus"), "2", "exit code")
    m.guest.sh("sleep 4")  # longer than RestartSec=
    is_(m.show("ActiveState"), "failed", "service, after the time in which it would have started anew")
    errors = m.does(f"journalctl -u hrvd -p err --since @{since} -o cat --no-pager")
    has(errors, "nonsense", "errors in the journal")
    m.does(f"cp /lab/kept.toml {CONFFILE}; systemctl reset-failed hrvd; systemctl start hrvd")
    return "told at priority err"


def stuck(m):
    """A daemon that stands still is killed by the watchdog and started anew."""
    pid = m.show("MainPID")
    m.does(f"kill -STOP {pid}")
    took = m.until(STUCK, "a new process", lambda: m.show("MainPID") not in (pid, "0", "") and m.show("ActiveState") == "active")
    has(m.does("journalctl -u hrvd -o cat --no-pager"), "Watchdog timeout", "journal")
    return f"new process after {took:.0f} s"


def upgraded(m):
    """A new version starts at once; an edited conffile stays, the packaged one lies beside it."""
    m.does(f"echo '# mine' >> {CONFFILE}; touch /var/lib/hrvd/witness; mkdir -p /etc/hrvd/credentials && echo > /etc/hrvd/credentials/mqtt-password")
    pid = m.show("MainPID")
    m.does("DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /lab/newer.deb < /dev/null")
    is_(m.show("ActiveState"), "active", "service")
    if m.show("MainPID") == pid:
        raise Wrong("the old process still runs")
    has(m.does(f"tail -1 {CONFFILE}"), "# mine", "edited conffile")
    has(m.does(f"tail -1 {CONFFILE}.dpkg-dist"), "# new in this version", "packaged conffile")
    return m.does("dpkg-query -W -f '${Version}' hrvd")


def removed(m):
    """Removing leaves configuration and data, and no beats in RAM."""
    m.does("dpkg -r hrvd")
    is_(m.ask("test -e /usr/bin/hrvd || echo gone")[0], "gone", "program")
    is_(m.show("ActiveState"), "inactive", "service")
    m.does(f"grep -q '# mine' {CONFFILE} && test -e /var/lib/hrvd/witness && test -e /etc/hrvd/credentials/mqtt-password")
    is_(m.ask("test -e /run/hrvd || echo gone")[0], "gone", "newest beats in RAM")
    return "configuration and data stay"


def purged(m):
    """Purging leaves nothing but the user."""
    m.does("dpkg -P hrvd")
    left = m.does(
        "find /etc/hrvd /var/lib/hrvd /run/hrvd /etc/systemd /var/lib/systemd /usr/lib/systemd /usr/lib/sysusers.d /usr/lib/tmpfiles.d "
        "/usr/share -name '*hrvd*' 2> /dev/null; true"
    )
    is_(left, "", "files left")
    m.does("id hrvd")
    return "nothing but the user stays"


STEPS = (installs, misconfigured, stuck, upgraded, removed, purged)


def play(guest):
    """Every step in order; each needs the one before."""
    rows, machine = [], Machine(guest)
    for step in STEPS:
        row = Row(f"package {step.__name__}")
        rows.append(row)
        try:
            row.recovery = step(machine) or ""
        except Wrong as e:
            row.missed.append(str(e))
        build.say(f"{guest.suite}: {row.name}: {row.missed or row.recovery}")
        if row.missed:
            guest.ask(sh="journalctl -u hrvd -n 60 -o short-monotonic > /lab/package-journal.log; systemctl status hrvd > /lab/package-status.log")
            break
    guest.sh("systemctl daemon-reload; rm -f /lab/newer.deb")
    return rows
