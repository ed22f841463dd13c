"""The processes of a test: mosquitto, Home Assistant, hrvd. Each is ended by its own id."""

import datetime as dt
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import install
from client import PATIENCE, Failed, Rest, breathe

HERE = Path(__file__).resolve().parent
# Lines of Home Assistant's log that say nothing about us: how it was installed, that we stopped its broker, and what
# 2024.12 says of each entity of a device that goes.
NOT_OURS = re.compile(
    r"No device components to cleanup|Skipping pip installation|MQTT server: The connection was lost|paho.mqtt.client\] failed to (receive|send) on socket"
)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stop(process, seconds=30):
    """Asks, waits, and only then insists."""
    if process and process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(what, check, seconds=30):
    end = time.monotonic() + seconds * PATIENCE
    while not (found := check()):
        if time.monotonic() > end:
            raise Failed(f"not in {seconds * PATIENCE} s: {what}")
        breathe()
        time.sleep(0.1)
    return found


class Broker:
    """mosquitto as on a Pi: what is retained survives its restart."""

    def __init__(self, folder, port, program=None):
        self.folder, self.port, self.process = folder, port, None
        # lines of hrvd's [mqtt]
        self.login = f'host = "127.0.0.1"\nport = {port}\n'
        self.program = program or [shutil.which("mosquitto") or "/usr/sbin/mosquitto"]
        folder.mkdir(parents=True)
        (folder / "mosquitto.conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\nuser root\n"
        )

    def start(self):
        self.process = subprocess.Popen(
            [*self.program, "-c", str(self.folder / "mosquitto.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until("the broker listens", self.answers)

    def lock(self, port, users, rules):
        """A second listener that asks for a password, over TLS; the first one stays for the test. Gives the authority's certificate."""
        self.stop()
        made = lambda *argv: subprocess.run(["openssl", *argv], check=True, capture_output=True, cwd=self.folder)  # noqa: E731
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        made("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Home", "-days", "2")
        made("req", "-new", *key, "-keyout", "broker.key", "-out", "broker.csr", "-subj", "/CN=broker")
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        made("x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-out", "broker.pem", "-days", "2")
        (self.folder / "passwords").touch(0o600)
        for name, password in users.items():
            subprocess.run(["mosquitto_passwd", "-b", str(self.folder / "passwords"), name, password], check=True, capture_output=True)
        (self.folder / "hrvd-password").touch(0o600)
        (self.folder / "hrvd-password").write_text(users["hrvd"])
        (self.folder / "rules").touch(0o600)
        (self.folder / "rules").write_text(rules)
        (self.folder / "mosquitto.conf").write_text(
            f"per_listener_settings true\npersistence true\npersistence_location {self.folder}/\nuser root\n"
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
            f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {self.folder}/passwords\nacl_file {self.folder}/rules\n"
            f"certfile {self.folder}/broker.pem\nkeyfile {self.folder}/broker.key\n"
        )
        self.start()
        self.login = f'host = "127.0.0.1"\nport = {port}\nusername = "hrvd"\npassword_file = "{self.folder}/hrvd-password"\n'
        self.login += f'[mqtt.tls]\nenabled = true\nca_file = "{self.folder}/ca.pem"\n'
        return (self.folder / "ca.pem").read_bytes()

    def version(self):
        said = subprocess.run([*self.program, "-h"], capture_output=True, text=True, timeout=20)
        found = re.search(r"mosquitto version ([0-9.]+)", said.stdout + said.stderr)
        return found.group(1) if found else "unknown"

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def stop(self):
        stop(self.process)

    def publish(self, topic, payload, retain=False):
        payload = payload if isinstance(payload, str) else json.dumps(payload)
        argv = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-t", topic]
        argv += (["-r"] if retain else []) + (["-m", payload] if payload else ["-n"])
        subprocess.run(argv, check=True, timeout=20)

    def listen(self, pattern, count=1, seconds=60):
        """From now on; what came is asked for with `heard`. Retained messages do not count."""
        argv = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.port), "-R", "-v", "-t", pattern, "-C", str(count), "-W", str(seconds)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def heard(self, listener):
        return listener.communicate(timeout=120)[0].splitlines()

    def retained(self, pattern="#"):
        """What the broker keeps, by topic."""
        argv = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.port), "-t", pattern, "-F", "%r %t %p", "--retained-only", "-W", "2"]
        lines = subprocess.run(argv, capture_output=True, text=True, timeout=20).stdout.splitlines()
        return {line.split(" ", 2)[1]: line.split(" ", 2)[2] for line in lines if line.startswith("1 ")}


class HomeAssistant:
    """One Home Assistant with a fresh configuration."""

    def __init__(self, root, run, short):
        self.root, self.short, self.process = root, short, None
        self.port = free_port()
        self.rest = Rest(self.port)
        self.inside = "/srv/run"
        self.config = root / "srv/run"
        self.output = run / f"home-assistant-{short}.log"
        install.hold(root)
        shutil.rmtree(self.config, ignore_errors=True)
        (self.config / ".storage").mkdir(parents=True)
        # the pages ask for nothing more once an owner exists; the steps themselves would reach for the internet
        done = {"done": ["core_config", "analytics", "integration"]}
        storage = {"version": 4, "minor_version": 1, "key": "onboarding", "data": done}
        (self.config / ".storage/onboarding").write_text(json.dumps(storage))

    def write(self, name, text):
        path = self.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(self):
        began = time.monotonic()
        with open(self.output, "a") as out:
            self.process = subprocess.Popen(
                ["chroot", str(self.root), "env", "TZ=UTC", "HOME=/root", "/srv/ha/bin/hass", "-c", self.inside, "--skip-pip"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        if not self.rest.token:
            until("Home Assistant answers", lambda: self.ask("/api/onboarding") is not None, 180)
            self.rest.login()
        until("Home Assistant runs", lambda: (self.ask("/api/config") or {}).get("state") == "RUNNING", 180)
        return time.monotonic() - began

    def ask(self, path):
        if self.process.poll() is not None:
            raise Failed(f"Home Assistant ended; see {self.output}")
        try:
            return self.rest.get(path)
        except (Failed, OSError):
            return None

    def stop(self):
        # killed, it would lose what it restores at its next start; what runs may hold it up for a minute
        stop(self.process, 150)

    def close(self):
        self.stop()
        install.release(self.root)

    def complaints(self):
        """Warnings and errors of its log, with the lines that belong to them."""
        found, current = [], None
        for line in self.output.read_text(errors="replace").splitlines():
            line = re.sub(r"\x1b\[[0-9;]*m", "", line)
            if re.match(r"\d{4}-\d\d-\d\d ", line):
                current = bool(re.search(r" (WARNING|ERROR|CRITICAL) ", line)) and not NOT_OURS.search(line)
                if current:
                    found.append(line)
            elif current:
                found[-1] += "\n  " + line
        return found


class Daemon:
    """hrvd as a process."""

    def __init__(self, program, folder):
        self.program, self.folder, self.process = program, folder, None
        self.output = folder / "hrvd.log"

        # it takes every HRVD_ for a setting, and refuses those that it does not know
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("HRVD_")}
        # it is seven in the morning where these people live: a day must not end while it is played
        self.east = (7 - time.gmtime().tm_hour + 12) % 24 - 12
        self.zone = self.env["TZ"] = f"Etc/GMT{-self.east:+d}"

    def start(self, *argv):
        with open(self.output, "a") as out:
            self.process = subprocess.Popen(
                [str(self.program), *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=self.env
            )

    def demo(self, broker, speed):
        """The whole daemon with a simulated strap, and a check at once."""
        # a regular heart: the built-in recording is graded poor, which makes no verdict
        rest = HERE.parent / "data/sim_rest.txt"
        self.start("demo", "--keep", "--speed", str(speed), "--broker", f"127.0.0.1:{broker.port}", "--rr", str(rest))

    def now(self):
        """The time where these people live."""
        return dt.datetime.now(dt.timezone(dt.timedelta(hours=self.east)))

    def configure(self, broker, people, more="", language="en"):
        """People and their straps, without Bluetooth; `more` belongs to the first person."""
        text = (
            f'[gateway]\nid = "demo"\nlanguage = "{language}"\n[mqtt]\n{broker.login}[bluetooth]\nenabled = false\n'
            f'[store]\npath = "{self.folder}/hrvd.db"\n[control]\nsocket = "{self.folder}/control.sock"\n'
        )
        for n, (slug, name, strap) in enumerate(people):
            text += f'[[athlete]]\nslug = "{slug}"\nname = "{name}"\n{more if n == 0 else ""}\n'
            text += f'[[strap]]\naddress = "02:00:00:00:DE:3{n}"\nathlete = "{slug}"\nname = "{strap}"\n'
        path = self.folder / "hrvd.toml"
        path.write_text(text)
        return path

    def run(self, broker, people, more="", language="en"):
        self.start("--config", str(self.configure(broker, people, more, language)), "run")

    def says(self, *argv):
        """What a command prints."""
        said = subprocess.run([str(self.program), *argv], capture_output=True, text=True, timeout=60, env=self.env)
        if said.returncode:
            raise Failed(f"hrvd {' '.join(argv)}: {said.stderr}")
        return said.stdout

    def stop(self):
        stop(self.process)
