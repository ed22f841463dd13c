"""Builds what the lab needs into its directory: a User Mode Linux kernel, guest images, the simulator's wheels.

Everything is kept under a name that holds a hash of what it was made from, and made once.
"""

import hashlib
import lzma
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
PYTHON = {"bookworm": "3.11", "trixie": "3.13"}
BUMBLE = "bumble==0.0.236"
PACKAGES = (
    "systemd systemd-sysv udev kmod dbus bluez libdbus-1-3 tzdata procps sysvinit-utils mosquitto mosquitto-clients python3"
).split()
KERNEL_SOURCE = "linux-source-6.12"  # older ones panic when a connection is refused


class Impossible(Exception):
    """This machine cannot build the lab; the text says why."""


def say(text):
    print(f"lab: {text}", file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a program; what it said becomes the error if it fails."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-8:])
        raise Impossible(f"{' '.join(map(str, command[:6]))} ... failed:\n{last}")
    return done.stdout


def digest(*parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def debian_mirror():
    """The archive that this machine's own apt uses."""
    targets = run("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages")
    for line in targets.splitlines():
        origin, label, uri = line.split("|")
        if (origin, label) == ("Debian", "Debian"):
            return uri
    raise Impossible("apt on this machine knows no Debian archive (apt-get update?)")


def kernel(lab):
    """The ready image of it, if there is one, else made from Debian's source."""
    ready = Path(os.environ.get("HRVD_SHARED", REPO.parent / "shared")) / "lab/bluez/linux-uml-6.12.xz"
    compiled = lab / f"linux-{digest((HERE / 'kernel.config').read_text())}"
    if compiled.exists():
        return compiled
    if ready.exists() and os.environ.get("HRVD_LAB_KERNEL") != "build":
        unpacked = lab / "linux-ready"
        if not unpacked.exists():
            say(f"unpacking {ready.name}")
            _whole(unpacked, lambda path: path.write_bytes(lzma.decompress(ready.read_bytes())))
        return unpacked
    say("compiling a kernel, about eight minutes of processor time")
    work = lab / "kernel-source"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    package = _download(work / "apt", KERNEL_SOURCE)
    run("sh", "-c", f"dpkg-deb --fsys-tarfile '{package}' | tar xO --wildcards './usr/src/*.tar.xz' | tar xJ", cwd=work)
    source = next(work.glob("linux-source-*"))
    make = ("nice", "make", "ARCH=um", f"-j{os.cpu_count()}")
    run(*make, "allnoconfig", cwd=source)
    run("scripts/kconfig/merge_config.sh", "-m", ".config", str(HERE / "kernel.config"), cwd=source)
    run(*make, "olddefconfig", cwd=source)
    run(*make, "linux", cwd=source)
    _whole(compiled, lambda path: run("strip", "-s", "-o", str(path), str(source / "linux")))
    shutil.rmtree(work)
    return compiled


def _whole(path, make):
    """Makes an executable file; under its name it is there whole or not at all."""
    part = path.with_suffix(".part")
    make(part)
    part.chmod(0o755)
    part.rename(path)


def _download(apt, package):
    """A package of Debian 13, whatever this machine runs: by an apt directory of its own."""
    for d in ("state/lists/partial", "cache/archives/partial", "etc/trusted"):
        (apt / d).mkdir(parents=True)
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (apt / "etc/sources.list").write_text(f"deb [signed-by={keys}] {debian_mirror()} trixie main\n")
    (apt / "apt.conf").write_text(
        f'Dir::State "{apt}/state"; Dir::State::status "/dev/null"; Dir::Cache "{apt}/cache"; APT::Sandbox::User "root";\n'
        f'Dir::Etc::sourcelist "{apt}/etc/sources.list"; Dir::Etc::sourceparts "/dev/null";\n'
    )
    env = os.environ | {"APT_CONFIG": str(apt / "apt.conf")}
    run("apt-get", "update", "-qq", env=env, cwd=apt)
    run("apt-get", "download", package, env=env, cwd=apt)
    return next(apt.glob("*.deb"))


def memory_dir(lab):
    """Where the guest's memory lies: a file that is gone with its process."""
    shm = os.statvfs("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    fits = shm is not None and shm.f_bavail * shm.f_frsize > 1 << 30 and not shm.f_flag & os.ST_NOEXEC
    return "/dev/shm" if fits else str(lab)


def probe(lab, kernel):
    """Whether that kernel runs a program here at all; User Mode Linux needs ptrace or seccomp, which sandboxes may deny."""
    command = (
        kernel, "mem=64M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "init=/bin/true",
        "con=null", "con0=null,fd:1", "ssl=null", "panic=-1", f"uml_dir={lab}/", f"umid=probe-{os.getpid()}",
    )  # fmt: skip
    env = os.environ | {"TMPDIR": memory_dir(lab)}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, timeout=60,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Impossible(f"a User Mode Linux kernel does not start here: {e}") from e
    finally:
        shutil.rmtree(lab / f"probe-{os.getpid()}", ignore_errors=True)
    text = done.stdout.decode(errors="replace")
    # /bin/true did its work, and a kernel whose first process ends panics
    if "Attempted to kill init! exitcode=0x00000000" not in text:
        last = "\n".join(text.splitlines()[-8:])
        raise Impossible(f"a User Mode Linux kernel runs no program here:\n{last}")


def wheels(lab, suite):
    """bumble for the guest's Python, without its command-line tools' needs being run."""
    site = lab / f"site-{suite}-{digest(BUMBLE)}"
    if not site.exists():
        say(f"fetching {BUMBLE} for Python {PYTHON[suite]}")
        venv = lab / "venv"
        if not (venv / "bin/pip").exists():
            run(sys.executable, "-m", "venv", str(venv))
        part = site.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        version = ("--python-version", PYTHON[suite], "--only-binary=:all:")
        run(str(venv / "bin/pip"), "install", "-q", "--target", str(part), *version, BUMBLE)
        part.rename(site)
    return site


FILES = {
    "etc/hostname": "lab\n",
    "etc/hosts": "127.0.0.1 localhost lab\n",
    "etc/fstab": "/dev/ubda / ext4 rw,noatime 0 0\n",
    "etc/machine-id": "uninitialized\n",
    "etc/mosquitto/conf.d/lab.conf": "listener 1883 127.0.0.1\nallow_anonymous true\npersistence false\n",
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=volatile\nRateLimitBurst=0\n",
}
IDLE = "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer".split()
# without a network its waiting takes two minutes
MASKED = (
    "systemd-networkd-wait-online.service systemd-networkd.service systemd-networkd.socket "
    "e2scrub_reap.service getty@tty1.service serial-getty@ttyS0.service systemd-firstboot.service"
).split()


def image(lab, suite):
    """A disk with systemd, bluez and mosquitto of one Debian release."""
    unit = (HERE / "guest/lab.service").read_text()
    disk = lab / f"root-{suite}-{digest(unit, repr(FILES), *PACKAGES, *IDLE, *MASKED, 'v2')}.img"
    if disk.exists():
        return disk
    say(f"building the {suite} guest, one or two minutes")
    root = lab / f"rootfs-{suite}"
    shutil.rmtree(root, ignore_errors=True)
    exclude = [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("man", "doc", "locale")]
    run(
        "unshare", "--mount", "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", f"--include={','.join(PACKAGES)}",
        '--aptopt=APT::Install-Recommends "false"', *exclude, suite, str(root), debian_mirror(),
    )  # fmt: skip
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "lab").mkdir()
    (root / "etc/systemd/system/lab.service").write_text(unit)
    # as on a Raspberry Pi: the adapter is switched on at boot
    main = root / "etc/bluetooth/main.conf"
    main.write_text(main.read_text().replace("[Policy]", "[Policy]\nAutoEnable=true", 1))
    inside = ("chroot", str(root))
    run(*inside, "systemctl", "-q", "enable", "lab", "bluetooth", "mosquitto")
    run(*inside, "systemctl", "-q", "mask", *IDLE, *MASKED)
    run(*inside, "useradd", "--system", "--groups", "bluetooth", "--shell", "/usr/sbin/nologin", "hrvd")
    shutil.rmtree(root / "var/lib/apt/lists")
    part = disk.with_suffix(".part")
    part.unlink(missing_ok=True)
    run("truncate", "-s", "3G", str(part))
    options = "lazy_itable_init=1,root_owner=0:0"
    run("mke2fs", "-q", "-t", "ext4", "-J", "size=16", "-E", options, "-d", str(root), str(part))
    part.rename(disk)
    shutil.rmtree(root)
    for old in set(lab.glob(f"root-{suite}-*.img")) - {disk}:
        old.unlink()
    return disk
