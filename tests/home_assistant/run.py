"""The real daemon with a simulated strap, a real mosquitto and a real Home Assistant. See docs/home-assistant.md.

Started by scripts/home-assistant, which builds the program.
"""

import argparse
import fcntl
import getpass
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from pathlib import Path

import house
import install
import plays
import scenes
from browser import Browser
from client import Failed
from stage import Broker, Daemon, HomeAssistant, free_port, until

# fast enough to be short, slow enough that a busy machine misses no phase of a check
SPEED = 6


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/home-assistant", description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="Home Assistant 2024.12 too")
    parser.add_argument("--only", metavar="VERSION", choices=sorted(install.VERSIONS), help="only this one")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="keep the pictures of the dashboards")
    parser.add_argument("--measure", action="store_true", help="only measure what one strap costs the recorder in an hour")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    parser.add_argument("--scene", action="append", metavar="NAME", help="only this scene; may be given again")
    parser.add_argument("--program", type=Path, required=True, help="hrvd to test")
    return parser.parse_args()


def say(text):
    print(text, flush=True)


def live_sample(play):
    """A live message of the daemon's, to say it in its place later."""
    said = play.broker.heard(play.broker.listen("hrvd/demo/athlete/alex/live", seconds=120))
    return json.loads(said[0].split(" ", 1)[1])


def version(short, root, run, args):
    """Everything about one version; returns how many scenes held and failed."""
    # with the newer Home Assistant the newer mosquitto, if its Debian has it
    broker = Broker(run / f"broker-{short}", free_port(), install.mosquitto(root) if short == "2026.11" else None)
    say(f"{short}: mosquitto {broker.version()}")
    home = HomeAssistant(root, run, short)
    daemon = Daemon(args.program, run)
    browser, good, bad = None, 0, 0
    try:
        config = daemon.configure(broker, scenes.ALEX)
        made = lambda *what: daemon.says("--config", str(config), "ha", *what)  # noqa: E731
        made("blueprints", "--write", str(home.config))
        house.write(home, made("dashboard"), daemon.zone)
        broker.start()
        # the daemon first: Home Assistant finds what is retained, as after a restart at night
        daemon.demo(broker, SPEED)
        say(f"{short}: Home Assistant up after {home.start():.0f} s")
        section = {"other_settings": {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}}
        home.rest.flow("mqtt", {"broker": "127.0.0.1", "port": broker.port}, section)
        newest = short != "2024.12"
        if newest:
            home.rest.flow("local_calendar", {"calendar_name": "Training", "import": "create_empty"})
            today = daemon.now().date()
            event = {"summary": "Tempo 4 x 8 min", "start_date_time": f"{today} 10:00:00", "end_date_time": f"{today} 11:00:00"}
            home.rest.call("calendar.create_event", entity_id="calendar.training", **event)
        args.shown.mkdir(parents=True, exist_ok=True)
        if newest:
            browser = Browser(home.rest, free_port())
        play = scenes.Play(broker, home, daemon, SPEED, config, args.shown, browser)
        play.connect()
        until("the daemon speaks", lambda: home.rest.state(scenes.LIVE_HR), 30)
        play.notes["live"] = live_sample(play)
        for scene in plays.NEWEST if newest else plays.COMMON:
            if args.scene and scene.__name__ not in args.scene:
                continue
            began = time.monotonic()
            try:
                note = scene(play)
                good += 1
                say(f"{short}: ok    {scene.__name__} ({time.monotonic() - began:.1f} s){f': {note}' if note else ''}")
            except (Failed, KeyError, StopIteration, ConnectionError, json.JSONDecodeError) as e:
                bad += 1
                say(f"{short}: FAIL  {scene.__name__} ({time.monotonic() - began:.1f} s): {e or repr(e)}")
                if not isinstance(e, Failed):
                    traceback.print_exc()
                play.connect()
    finally:
        daemon.stop()
        if browser:
            browser.close()
        home.close()
        broker.stop()
    return good, bad


def recorder(database):
    """Rows of states by entity, and the size in bytes."""
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    rows = "SELECT m.entity_id, count(*) FROM states s JOIN states_meta m USING (metadata_id) GROUP BY 1"
    size = [db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("page_count", "page_size")]
    out = dict(db.execute(rows)), size[0] * size[1]
    db.close()
    return out


def measure(short, root, run, args):
    """What an hour with a strap costs the recorder: a simulated hour of live values at the default interval."""
    speed, hours = 60, 2
    broker, home, daemon = Broker(run / "broker", free_port()), HomeAssistant(root, run, short), Daemon(args.program, run)
    try:
        text = house.CONFIGURATION.replace("@PORT@", str(home.port)).replace("@HOUSE@", "").replace("@ZONE@", daemon.zone)
        home.write("configuration.yaml", text)
        home.write("automations.yaml", "[]\n")
        home.write("dashboards/hrvd.yaml", "views: []\n")
        broker.start()
        daemon.demo(broker, speed)
        home.start()
        section = {"other_settings": {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}}
        home.rest.flow("mqtt", {"broker": "127.0.0.1", "port": broker.port}, section)
        home.rest.wait(scenes.PHASE, "done", 60)
        home.rest.wait(scenes.LIVE_HR, "*")
        time.sleep(5)
        database = home.config / "home-assistant_v2.db"
        rows, size = recorder(database)
        time.sleep(hours * 3600 / speed)
        after, grown = recorder(database)
        new = {k: n - rows.get(k, 0) for k, n in after.items() if n > rows.get(k, 0)}
        for entity, n in sorted(new.items(), key=lambda x: -x[1]):
            say(f"{n / hours:8.0f} rows an hour  {entity}")
        say(f"one strap: {sum(new.values()) / hours:.0f} rows, {(grown - size) / hours / 1e6:.2f} MB an hour")
    finally:
        daemon.stop()
        home.close()
        broker.stop()


def main():
    args = arguments()
    lab = Path(os.environ.get("HRVD_HA_DIR") or f"/var/tmp/hrvd-home-assistant-{getpass.getuser()}")
    lab.mkdir(parents=True, exist_ok=True)
    # an installation has one configuration folder: two runs in it would end each other's Home Assistant
    alone = open(lab / "lock", "w")
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        say(f"another run uses {lab}: waiting for it")
        fcntl.flock(alone, fcntl.LOCK_EX)
    run = Path(tempfile.mkdtemp(prefix="hrvd-ha-"))
    args.shown = args.pictures or run / "pictures"
    chosen = [args.only] if args.only else sorted(install.VERSIONS, reverse=True) if args.all else ["2026.11"]
    good = bad = skipped = 0
    began = time.monotonic()
    try:
        for short in chosen:
            try:
                start = time.monotonic()
                root = install.root(lab, short)
                say(f"{short}: installed ({time.monotonic() - start:.0f} s)")
            except (install.Unavailable, OSError) as e:
                skipped += 1
                say(f"{short}: SKIPPED, it cannot be installed here: {e}")
                continue
            if args.measure:
                measure(short, root, run, args)
                continue
            g, b = version(short, root, run, args)
            good, bad = good + g, bad + b
    finally:
        if args.keep or bad:
            say(f"logs: {run}")
        else:
            shutil.rmtree(run, ignore_errors=True)
    say(f"home assistant: {good} passed, {bad} failed, {skipped} skipped, {time.monotonic() - began:.0f} s")
    required = os.environ.get("HRVD_HA_REQUIRED") == "1"
    return 1 if bad or (skipped and required) else 0


sys.exit(main())
