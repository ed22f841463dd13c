"""A Home Assistant of a given version in a Debian of its own, made once and kept. Needs root and Debian's archive."""

import os
import shutil
import subprocess
from pathlib import Path

# Home Assistant, the Debian whose Python it needs, and which script of debootstrap knows that Debian.
VERSIONS = {"2026.11": ("2026.11.0", "forky", "sid"), "2024.12": ("2024.12.5", "trixie", "trixie")}
PACKAGES = "python3,python3-venv,ca-certificates,tzdata,libturbojpeg0"
# Some of what the older one needs comes without wheels for this Python; the newer one's Debian brings mosquitto 2.1.
MORE = {"2024.12": ",gcc,g++,libc6-dev,python3-dev", "2026.11": ",mosquitto"}
# What is loaded beside the defaults. local_calendar is a plan to look into; the others are what they are named after.
INTEGRATIONS = (
    "isal logger network system_log frontend recorder config history logbook energy mqtt api diagnostics repairs search "
    "trace blueprint lovelace system_health sun webhook mobile_app my hassio template persistent_notification group "
    "calendar local_calendar light fan notify"
).split()
# Voice only, in C++ without wheels for a new Python.
STUBS = {
    "pymicro_vad": "class MicroVad:\n    def __init__(self, *a): pass\n",
    "pyspeex_noise": "class AudioProcessor:\n    def __init__(self, *a): pass\n",
}
WALK = """
import json, pathlib, sys, homeassistant
from homeassistant import bootstrap as b
base = pathlib.Path(homeassistant.__file__).parent / "components"
todo = set(b.DEFAULT_INTEGRATIONS) | set(getattr(b, "CORE_INTEGRATIONS", ())) | set(sys.argv[1:])
seen, needs = set(), set()
while todo:
    name = todo.pop()
    manifest = base / name / "manifest.json"
    if name in seen or not manifest.exists():
        continue
    seen.add(name)
    m = json.loads(manifest.read_text())
    needs |= set(m.get("requirements", []))
    todo |= set(m.get("dependencies", []))
print("\\n".join(sorted(n for n in needs if n.split("==")[0] not in ("pymicro-vad", "pyspeex-noise"))))
"""


class Unavailable(Exception):
    """It cannot be made here."""


def run(what, *argv, log, **kw):
    with open(log, "a") as out:
        if subprocess.run(argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **kw).returncode:
            raise Unavailable(f"{what} failed; see {log}")


def mirror():
    """The archive that this machine's apt uses."""
    out = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], capture_output=True, text=True
    ).stdout.split()
    out = [u for u in out if "security" not in u]
    return os.environ.get("MIRROR") or (out[0] if out else "https://deb.debian.org/debian")


def root(lab, short):
    """The folder of a ready installation; made if it is not there."""
    version, suite, script = VERSIONS[short]
    top = lab / version
    ready = top / "ready"
    if ready.exists():
        return top / "root"
    release(top / "root")
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir(parents=True)
    root, log = top / "root", top / "install.log"
    run(
        "debootstrap", "debootstrap", "--variant=minbase", f"--include={PACKAGES}{MORE.get(short, '')}", suite, str(root), mirror(), script, log=log
    )
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
    if Path("/etc/pip.conf").exists():
        shutil.copy("/etc/pip.conf", root / "etc/pip.conf")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    hold(root)
    try:
        inside = ("chroot", str(root))
        python = "/srv/ha/bin/python"
        run("venv", *inside, "python3", "-m", "venv", "/srv/ha", log=log)
        run("uv", *inside, "/srv/ha/bin/pip", "install", "-q", "uv", log=log)
        install = (*inside, "/srv/ha/bin/uv", "pip", "install", "-q", "--no-cache", "--python", python)
        run("download of Home Assistant", *install, "--no-deps", f"homeassistant=={version}", log=log)
        # without its own constraints the resolver does not come to an end
        find = 'import importlib.util as u, os; print(os.path.dirname(u.find_spec("homeassistant").origin))'
        where = subprocess.run([*inside, python, "-c", find], capture_output=True, text=True, check=True).stdout.strip()
        limits = ("-c", f"{where}/package_constraints.txt")
        run("installation of Home Assistant", *install, *limits, f"homeassistant=={version}", log=log)
        # what it would fetch at run time: we run it with --skip-pip
        (root / "srv/walk.py").write_text(WALK)
        needs = subprocess.run(
            [*inside, python, "/srv/walk.py", *INTEGRATIONS], capture_output=True, text=True, check=True
        ).stdout
        (root / "srv/needs.txt").write_text(needs)
        run("its integrations", *install, *limits, "-r", "/srv/needs.txt", log=log)
        for name, text in STUBS.items():
            (root / where.lstrip("/")).parent.joinpath(f"{name}.py").write_text(text)
        ffmpeg = root / "usr/local/bin/ffmpeg"
        ffmpeg.write_text("#!/bin/sh\necho 'ffmpeg version 7.1 stub'\n")
        ffmpeg.chmod(0o755)
    finally:
        release(root)
    ready.write_text(version + "\n")
    return root


def mosquitto(root):
    """How to start the mosquitto of that Debian outside of it; nothing if there is none."""
    program = root / "usr/sbin/mosquitto"
    loaders = [f for d in ("usr/lib", "usr/lib64") for f in sorted((root / d).glob("ld-linux*.so*"))]
    if not program.exists() or not loaders:
        return None
    libraries = ":".join(str(d) for d in sorted((root / "usr/lib").glob("*-linux-gnu*")) if d.is_dir())
    return [str(loaders[0]), "--library-path", libraries, str(program)]


def hold(root):
    """Home Assistant needs /proc."""
    if not os.path.ismount(root / "proc"):
        subprocess.run(["mount", "-t", "proc", "proc", str(root / "proc")], check=True)


def release(root):
    if os.path.ismount(root / "proc"):
        subprocess.run(["umount", "-l", str(root / "proc")], check=True)
