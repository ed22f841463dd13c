"""What is shown to hold, one function a promise. They run in the order of `plays.py` and build on each other."""

import datetime as dt
import json
import math
import random
import time

from client import Failed
from stage import until

ALEX = [("alex", "Alex", "Simulated strap")]
KIM = ("kim", "Kim", "Strap of Kim")
LIVE_HR, RMSSD = "sensor.alex_heart_rate", "sensor.alex_morning_rmssd"
PHASE = "sensor.alex_morning_check"


def expect(truth, what):
    if not truth:
        raise Failed(what)


class Play:
    """Everything that scenes share."""

    def __init__(self, broker, house, daemon, speed, config, pictures, browser):
        self.broker, self.house, self.daemon, self.speed, self.config = broker, house, daemon, speed, config
        self.pictures, self.browser = pictures, browser
        self.rest = house.rest
        self.ws = None
        self.notes = {}

    def connect(self):
        if self.ws:
            self.ws.close()
        self.ws = self.rest.socket()
        self.ws.subscribe("call_service")
        self.calls = []

    def told(self, service):
        """Data of the calls of a service since this connection."""
        self.calls += [e["data"] for e in self.ws.seen()]
        domain, name = service.split(".")
        return [c["service_data"] for c in self.calls if (c["domain"], c["service"]) == (domain, name)]

    def notification(self, id, seconds=15):
        def found():
            return next((n for n in self.ws.call("persistent_notification/get") if n["notification_id"] == id), None)

        return until(f"notification {id}", found, seconds)

    def dismissed(self, id):
        self.rest.call("persistent_notification.dismiss", notification_id=id)

    def announced(self):
        """Discovery as the program prints it."""
        lines = self.daemon.says("--config", str(self.config), "ha", "discovery", "--json").splitlines()
        return [json.loads(line) for line in lines]

    def devices(self):
        return {d["identifiers"][0][1]: d for d in self.ws.call("config/device_registry/list") if d["identifiers"]}

    def triggers(self, device):
        """What Home Assistant offers of a device where an automation is made."""
        return [t for t in self.ws.call("device_automation/trigger/list", device_id=device) if t["domain"] == "mqtt"]

    def entities(self):
        return {e["unique_id"]: e for e in self.ws.call("config/entity_registry/list") if e["platform"] == "mqtt"}


def appears(p, live=True):
    """Every device and entity is there with the right registry data."""
    wanted = p.announced()
    expect(len(wanted) == 3, f"{len(wanted)} devices are printed")
    if live:
        p.rest.wait(LIVE_HR, "*")
    devices, entities, states = p.devices(), p.entities(), {s["entity_id"]: s for s in p.ws.call("get_states")}
    names = {"name": "name", "mf": "manufacturer", "mdl": "model"}
    seen, wrong = set(), []
    for message in wanted:
        payload = message["payload"]
        id = payload["dev"]["ids"][0]
        expect(id in devices, f"device {id} is missing")
        for ours, theirs in names.items():
            if ours in payload["dev"] and devices[id][theirs] != payload["dev"][ours]:
                wrong.append(f"{id}: {theirs} is {devices[id][theirs]!r}")
        if "via_device" in payload["dev"]:
            expect(devices[id]["via_device_id"] == devices[payload["dev"]["via_device"]]["id"], f"{id} hangs in the air")
        automations = [c for c in payload["cmps"].values() if c["p"] == "device_automation"]
        meant = {(c["type"], c["stype"]) for c in automations}
        offered = {(t["type"], t["subtype"]) for t in p.triggers(devices[id]["id"])}
        if offered != meant:
            wrong.append(f"{id}: device triggers {offered ^ meant}")
        for key, c in payload["cmps"].items():
            if c in automations:
                continue
            e = entities.get(c["uniq_id"])
            if not e:
                wrong.append(f"{key} is missing")
                continue
            seen.add(c["uniq_id"])
            if e["entity_id"] != c["def_ent_id"]:
                wrong.append(f"{key}: {e['entity_id']} instead of {c['def_ent_id']}")
            if (e["original_name"], e["entity_category"]) != (c["name"], c.get("ent_cat")):
                wrong.append(f"{key}: {e['original_name']}, {e['entity_category']}")
            if (e["disabled_by"] is None) != c.get("en", True):
                wrong.append(f"{key}: disabled by {e['disabled_by']}")
            state = states.get(e["entity_id"])
            if e["disabled_by"] is None and not state:
                wrong.append(f"{key}: no state")
            elif state:
                shown = {"dev_cla": "device_class", "unit_of_meas": "unit_of_measurement", "stat_cla": "state_class", "ic": "icon",
                         "ops": "options", "evt_typ": "event_types"}  # fmt: skip
                for ours, theirs in shown.items():
                    if ours in c and state["attributes"].get(theirs) != c[ours]:
                        wrong.append(f"{key}: {theirs} is {state['attributes'].get(theirs)!r}, not {c[ours]!r}")
    # as Home Assistant's own Bluetooth writes it, or one strap becomes two devices
    strap = devices["hrvd.demo.strap.02000000de30"]["connections"]
    expect(strap == [["bluetooth", "02:00:00:00:DE:30"]], f"the strap is connected by {strap}")
    strangers = {e["entity_id"] for u, e in entities.items() if u not in seen}
    expect(not wrong and not strangers, "; ".join(wrong + [f"nobody announced {s}" for s in strangers]))
    return f"{len(wanted)} devices, {len(seen)} entities"


def check_is_followed(p):
    """The first check: phases in a room's light, the question before the number, the notification with its buttons."""
    rest = p.rest
    # it was asked for when the daemon came up; another one is pressed once that is over
    rest.wait(PHASE, "done", 90)
    p.connect()
    # said before the check, so that its numbers wait for nothing
    rest.call("button.press", entity_id="button.alex_feel_as_usual")
    rest.wait(FEEL, "ok")
    before = rest.state("event.alex_morning_check_event")["state"]
    rest.call("input_number.set_value", entity_id="input_number.feel", value=0)
    rest.call("input_boolean.turn_off", entity_id=["input_boolean.asked", "input_boolean.room_lit"])
    rest.call("button.press", entity_id="button.alex_start_morning_check")
    rest.wait(PHASE, "settling")
    rest.wait("light.room", lambda b: b is not None and b < 20, attribute="brightness")
    rest.wait(PHASE, "recording", 60)
    rest.wait("light.room", 5, attribute="brightness")
    # a pacer would change what is measured
    rest.call("input_boolean.turn_on", entity_id="input_boolean.pace")
    rest.wait("input_boolean.pace", "off", 10)
    rest.wait(PHASE, "done", 90)
    rest.wait("light.room", 204, 10, attribute="brightness")
    rest.wait("light.room", [255, 200, 140], 10, attribute="rgb_color")
    rest.wait("event.alex_morning_check_event", lambda s: s not in (before, "unknown"), 10)
    state = rest.wait("event.alex_morning_check_event", "completed", 10, attribute="event_type")
    expect(isinstance(state["attributes"]["rmssd"], (int, float)), f"the event has no RMSSD: {state}")
    value = rest.wait(RMSSD, "*")
    expect(5 < float(value["state"]) < 200, f"RMSSD is {value['state']}")
    # the room grew bright, and somebody is asked before anything is read
    asks = lambda c: c["title"] == "Morning check" and "How do you feel" in c["message"]  # noqa: E731
    asked = until("a question", lambda: next((c for c in p.told("notify.phone") if asks(c)), None), 15)
    expect(not any(ch.isdigit() for ch in asked["message"]), f"a number in the question: {asked}")
    rest.post("/api/events/mobile_app_notification_action", {"action": asked["data"]["actions"][0]["action"]})
    rest.wait("input_number.feel", "2.0", 10)
    rest.wait("input_boolean.asked", "on", 10)
    return f"RMSSD {value['state']} ms"


def commands(p):
    """A check is started and cancelled, a strap is let go and taken back."""
    rest, fired = p.rest, p.rest.socket()
    athlete = next(d["id"] for i, d in p.devices().items() if i.endswith(".athlete.alex"))
    offered = {t["type"]: t for t in p.triggers(athlete) if t["subtype"] == "morning_check"}
    rest.wait(PHASE, lambda s: s in ("idle", "done", "aborted"), 90)
    for kind in ("started", "cancelled"):
        fired.call("subscribe_trigger", trigger=offered[kind])
    rest.call("button.press", entity_id="button.alex_start_morning_check")
    rest.wait(PHASE, lambda s: s in ("waiting_for_strap", "settling", "recording"))
    rest.call("button.press", entity_id="button.alex_cancel_morning_check")
    rest.wait(PHASE, "aborted")
    rest.wait("event.alex_morning_check_event", "cancelled", attribute="event_type")
    said = []

    def both():
        said.extend(json.loads(e["variables"]["trigger"]["payload"])["event_type"] for e in fired.seen())
        return len(said) >= 2

    until("both device triggers", both, 10)
    expect(said == ["started", "cancelled"], f"device triggers: {said}")
    fired.close()
    switch = "switch.simulated_strap_release_for_other_apps"
    rest.call("switch.turn_on", entity_id=switch)
    rest.wait(switch, "on")
    rest.call("switch.turn_off", entity_id=switch)
    rest.wait(switch, "off")


def number(wanted):
    """45 and 45.0 are the same."""
    return lambda s: s not in ("unknown", "unavailable") and float(s) == wanted


LEVEL, FEEL = "sensor.alex_readiness", "select.alex_feel"


def readiness(p):
    """A day from the check to the verdict: asked first, answered by a notification, with reasons; inputs change it."""
    rest = p.rest
    # a day of its own: the demo keeps nothing
    event = "event.alex_readiness_event"
    before = rest.state(event)["state"]
    p.daemon.stop()
    rest.wait(PHASE, "unavailable", 20)
    p.connect()
    p.daemon.demo(p.broker, p.speed)
    # held back until it is known how it feels: that the check is done is told, but no level and no number
    rest.wait(event, lambda s: s not in (before, "unknown", "unavailable"), 120)
    rest.wait(event, "feel_wanted", attribute="event_type")
    rest.wait("sensor.alex_readiness_state", "waiting_for_feel")
    for held in (LEVEL, RMSSD, "sensor.alex_morning_heart_rate", "sensor.alex_morning_lnrmssd"):
        expect(rest.state(held)["state"] == "unknown", f"told before the feel: {rest.state(held)}")
    done = rest.state("event.alex_morning_check_event")["attributes"]
    expect(done["event_type"] == "completed" and done["grade"] and done["rmssd"] is None, f"told before the feel: {done}")
    asks = lambda c: "How do you feel" in c["message"] and "Morning check done" in c["title"]  # noqa: E731
    asked = until("the question", lambda: next((c for c in p.told("notify.phone") if asks(c)), None), 20)
    expect(not any(ch.isdigit() for ch in asked["message"] + asked["title"]), f"a number in the question: {asked}")
    rest.post("/api/events/mobile_app_notification_action", {"action": asked["data"]["actions"][0]["action"]})
    rest.wait(FEEL, "good")
    first = rest.wait(LEVEL, lambda s: s in ("GO", "CAUTION", "EASY", "REST", "UNKNOWN"))
    rest.wait(event, "verdict", attribute="event_type")
    # a level that is not known is no news
    title = "Morning check" + (f": {first['state']}" if first["state"] != "UNKNOWN" else "")
    told = lambda c: c["title"] == title and "RMSSD" in c["message"]  # noqa: E731
    ready = until("the verdict on the phone", lambda: next((c for c in p.told("notify.phone") if told(c)), None), 20)
    expect(5 < float(rest.wait(RMSSD, "*")["state"]) < 200, f"RMSSD is {rest.state(RMSSD)}")
    # what is said comes back as a state
    said = {"sleep": 2, "stress": 3, "fatigue": 2, "soreness": 4}
    for item, value in said.items():
        rest.call("number.set_value", entity_id=f"number.alex_wellness_{item}", value=value)
    rest.call("number.set_value", entity_id="number.alex_sleep_hours", value=7.5)
    rest.call("select.select_option", entity_id="select.alex_plan", option="quality")
    for item, value in said.items():
        rest.wait(f"number.alex_wellness_{item}", number(value))
    rest.wait("number.alex_sleep_hours", number(7.5))
    rest.wait("select.alex_plan", "quality")
    rest.wait("switch.alex_illness", "off")
    well = rest.wait(LEVEL, lambda s: s in ("GO", "CAUTION", "EASY", "REST"))["state"]
    # what is said later makes a new version; a plan that no longer fits is named
    p.dismissed("hrvd_moved")
    rest.call("switch.turn_on", entity_id="switch.alex_illness")
    rest.wait("switch.alex_illness", "on")
    rest.wait(LEVEL, "REST")
    rest.wait(event, "revised", attribute="event_type")
    note = p.notification("hrvd_moved")
    expect(note["message"] == "REST: a quality session", note["message"])
    reasons = rest.state(LEVEL)["attributes"]["reasons"]
    rest.call("switch.turn_off", entity_id="switch.alex_illness")
    rest.wait(LEVEL, well)
    for pain in ("warms_up", "no"):
        rest.call("select.select_option", entity_id="select.alex_pain", option=pain)
        rest.wait("select.alex_pain", pain)
    # from one button to another, and a session
    rest.call("button.press", entity_id="button.alex_feel_bad")
    rest.wait(FEEL, "bad")
    rest.call("number.set_value", entity_id="number.alex_session_length", value=45)
    rest.call("number.set_value", entity_id="number.alex_session_exertion", value=6)
    rest.call("select.select_option", entity_id="select.alex_session_kind", option="easy")
    rest.wait("number.alex_session_length", number(45))
    rest.wait("number.alex_session_exertion", number(6))
    rest.call("button.press", entity_id="button.alex_log_session")
    rest.wait("number.alex_session_length", "unknown")
    rest.call("button.press", entity_id="button.alex_verdict_was_right")
    topic = "hrvd/demo/athlete/alex/inputs"
    until("the answer is kept", lambda: json.loads(p.broker.retained(topic)[topic])["was_right"] is True, 20)
    # words without numbers, and everything again
    rest.call("select.select_option", entity_id="select.alex_quiet_mode", option="words")
    rest.wait("sensor.alex_readiness_score", "unknown")
    expect(rest.state(LEVEL)["state"] not in ("unknown", "unavailable"), "the level is a word")
    rest.call("select.select_option", entity_id="select.alex_quiet_mode", option="off")
    rest.wait("select.alex_quiet_mode", "off")
    # the recorder drops attributes beyond 16 KiB
    size = len(json.dumps(rest.state(LEVEL)["attributes"]))
    expect(size < 16384, f"{size} bytes of attributes")
    return f"{first['state']}: \"{ready['message']}\"; ill: {reasons}; {size} bytes of attributes"


def settings(p):
    """What is set in Home Assistant holds and comes back; what cannot be is refused; all of it can be taken back."""
    rest, topic = p.rest, "homeassistant/device/hrvd_demo_athlete_alex/config"
    rest.call("number.set_value", entity_id="number.alex_maximum_heart_rate", value=188)
    rest.wait("number.alex_maximum_heart_rate", "188")
    rest.call("text.set_value", entity_id="text.alex_wake_window_end", value="09:15")
    rest.wait("text.alex_wake_window_end", "09:15")
    switch = "switch.alex_start_by_putting_the_strap_on"
    was = rest.wait(switch, lambda s: s in ("on", "off"))["state"]
    rest.call(f"switch.turn_{'off' if was == 'on' else 'on'}", entity_id=switch)
    rest.wait(switch, "off" if was == "on" else "on")
    rest.call("select.select_option", entity_id="select.strap_gateway_log_level", option="debug")
    rest.wait("select.strap_gateway_log_level", "debug")
    # live values come at another interval, and expire by it
    rest.call("number.set_value", entity_id="number.strap_gateway_publish_interval", value=10)
    rest.wait("number.strap_gateway_publish_interval", "10")
    expires = lambda: json.loads(p.broker.retained(topic)[topic])["cmps"]["heart_rate"]["exp_aft"]  # noqa: E731
    until("live values expire later", lambda: expires() == 40, 20)
    rest.wait(LIVE_HR, "*", 60)
    # 2024.12 refuses it too, with a traceback in its log
    for value in (90, 400) if p.house.short != "2024.12" else ():
        try:
            rest.call("number.set_value", entity_id="number.alex_maximum_heart_rate", value=value)
        except Failed:
            continue
        raise Failed(f"Home Assistant lets a maximum heart rate of {value} be set")
    # whoever asks past Home Assistant
    p.broker.publish("hrvd/demo/athlete/alex/setting/max_hr/set", "400")
    p.broker.publish("hrvd/demo/athlete/alex/setting/all/set", "default")
    p.broker.publish("hrvd/demo/setting/all/set", "default")
    rest.wait("number.alex_maximum_heart_rate", "unknown")
    rest.wait("text.alex_wake_window_end", "10:00")
    rest.wait(switch, was)
    rest.wait("number.strap_gateway_publish_interval", "5")
    rest.wait("select.strap_gateway_log_level", "info")
    until("live values expire as before", lambda: expires() == 20, 20)


def statistics(p):
    """Whatever is a measurement gets long-term statistics, and Home Assistant finds nothing wrong with it."""
    states = p.ws.call("get_states")
    measured = {
        s["entity_id"]
        for s in states
        if s["attributes"].get("state_class") == "measurement"
        and s["entity_id"].split(".")[1].startswith(("alex_", "simulated_", "strap_", "hrvd_"))
    }
    known = {m["statistic_id"]: m for m in p.ws.call("recorder/list_statistic_ids")}
    missing = {
        e for e in measured if e not in known and p.rest.state(e)["state"] not in ("unknown", "unavailable")
    }
    expect(not missing, f"no statistics for {sorted(missing)}")
    expect(len(measured & known.keys()) >= 10, f"only {sorted(measured & known.keys())}")
    issues = p.ws.call("recorder/validate_statistics")
    expect(not issues, f"Home Assistant complains: {issues}")
    return f"{len(measured & known.keys())} sensors"


def home_assistant_restarts(p):
    """Yesterday's results are there at once, a live value only when a beat came."""
    was = p.rest.state(RMSSD)["state"]
    p.ws.close()
    p.ws = None
    p.house.stop()
    birth = p.broker.listen("homeassistant/status", seconds=120)
    repeated = p.broker.listen("homeassistant/device/+/config", count=3, seconds=120)
    seconds = p.house.start()
    p.connect()
    p.rest.wait(RMSSD, was, 20)
    # its birth message is answered with everything that it may have missed
    expect(p.broker.heard(birth) == ["homeassistant/status online"], "no birth message")
    said = p.broker.heard(repeated)
    expect(len(said) == 3, f"{len(said)} devices are said again")
    p.rest.wait(LIVE_HR, "*", 40)
    retained = [t for t in p.broker.retained("hrvd/#") if t.endswith("/live")]
    expect(not retained, f"live values are kept: {retained}")
    again = [u for u, e in p.entities().items() if e["entity_id"].endswith("_2")]
    expect(not again, f"twice there: {again}")
    return f"up after {seconds:.0f} s"


def broker_restarts(p):
    """Everything comes back by itself."""
    p.broker.stop()
    p.rest.wait(LIVE_HR, "unavailable", 60)
    p.broker.start()
    p.rest.wait(LIVE_HR, "*", 90)
    p.rest.wait(RMSSD, "*", 30)


def pictures(p):
    """Every view in four looks, without an error card, a warning or a cut text."""
    seed(p)
    # simulated time ran ahead of the wall clock's: as if it was an hour ago
    alex = "hrvd/demo/athlete/alex/"
    kept = {t: v for t, v in p.broker.retained(alex + "#").items() if t.removeprefix(alex) in ("morning", "check", "readiness", "inputs")}
    topic = alex + "morning"
    hour_ago = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=1)
    p.notes["morning"] = json.loads(kept[topic])
    taken = {**p.notes["morning"], "at": hour_ago.isoformat(timespec="seconds"), **MADE_UP}
    # a scene before left a check that was cancelled
    p.broker.publish(alex + "check", {**json.loads(kept[alex + "check"]), "phase": "done"}, retain=True)
    p.rest.wait(PHASE, "done")
    wait_for_feel, verdict = made_up_day(p)
    bad, took = [], []
    views = json.loads(p.daemon.says("--config", str(p.config), "ha", "dashboard", "--json"))["views"]

    def picture(path, name, width, dark):
        name = f"{name}-{width}{'-dark' if dark else ''}"
        began = time.monotonic()
        look = p.browser.show(f"/hrvd-test/{path}", width, dark, p.pictures / f"{name}.png")
        took.append(time.monotonic() - began)
        for what in ("errors", "warnings", "cut", "console"):
            if look[what]:
                bad.append(f"{name}: {what}: {look[what][:3]}")
        if look["wide"] > 0:
            bad.append(f"{name}: {look['wide']} px wider than the screen")
        return look

    wait_for_feel()
    p.broker.publish(topic, {k: v if isinstance(v, str) else None for k, v in taken.items()}, retain=True)
    p.rest.wait(RMSSD, "unknown")
    for width, dark in ((390, False), (1280, True)):
        look = picture("today", "asked", width, dark)
        expect("How do you feel? The verdict comes with your answer." in look["text"], f"not asked: {look['text']}")
        expect("RMSSD" not in look["text"], f"a place for a number: {look['text']}")
    p.broker.publish(topic, taken, retain=True)
    p.rest.wait(RMSSD, "*")
    verdict()
    for width in (1280, 390):
        for dark in (False, True):
            for view in views:
                picture(view["path"], view["path"], width, dark)
    for topic, said in kept.items():
        p.broker.publish(topic, said, retain=True)
    p.rest.wait(PHASE, json.loads(kept[alex + "check"])["phase"])
    p.rest.wait(RMSSD, number(json.loads(kept[alex + "morning"])["rmssd"]))
    expect(not bad, "\n  ".join(bad))
    return f"{len(took)} pictures, {sum(took) / len(took):.1f} s each"


# the morning of the made-up day, with the heart rate and RMSSD that its verdict is about
MADE_UP = {"rmssd": 32.0, "ln_rmssd": 3.466, "hr": 55.0, "mean_rr": 1091.0, "grade": "good", "notes": []}


def made_up_day(p, language="en"):
    """A day with something to say, in the program's own words; shows it waiting for the feel, and given."""
    at = "hrvd/demo/athlete/alex/"
    kept = {k: json.loads(p.broker.retained(at + k)[at + k]) for k in ("readiness", "inputs")}
    dice = random.Random(3)
    ln = [round(math.log(46) + dice.gauss(0, 0.12), 3) for _ in range(59)]
    day = {"ln_rmssd": [*ln, MADE_UP["ln_rmssd"]], "rhr": [52.0] * 59 + [MADE_UP["hr"]], "sleep_h": [7.4] * 59 + [5.6], "load": [60.0, 0.0] * 21}
    file = p.pictures / "day.json"
    file.write_text(json.dumps(day))
    said = p.daemon.says("readiness", str(file), "--algo", "2", "--language", language, "--json").strip().splitlines()[-1]
    file.unlink()
    v = json.loads(said)
    v = v.get("verdict", v)
    empty = {k: None for k in kept["readiness"]}
    date = kept["readiness"]["date"]
    given = {
        **empty, "date": date, "state": "given", "level": v["level"], "level_text": v["level_words"], "hard": v["hard"], "score": v["score"],
        "confidence": v["confidence"], "reasons": [f["rule"] for f in v["flags"] if f["weight"]], "baseline_stage": v["baseline"],
        "days_missing": 0, "baseline_low": v["range_lo"], "baseline_high": v["range_hi"], "ln_rmssd_7d": v["mean7"], "load_7d": 210,
    }  # fmt: skip
    nothing = {k: False if v is False else None for k, v in kept["inputs"].items()}

    def say(readiness, inputs):
        p.broker.publish(at + "readiness", readiness, retain=True)
        p.broker.publish(at + "inputs", {**nothing, "date": date, "quiet": "off", **inputs}, retain=True)
        p.rest.wait(LEVEL, readiness["level"] or "unknown")
        p.rest.wait(FEEL, inputs.get("feel") or "unknown")

    said = {"feel": "ok", "wellness_sleep": 4, "wellness_stress": 3, "wellness_fatigue": 4, "wellness_soreness": 2, "sleep_hours": 5.6, "plan": "easy"}
    return lambda: say({**empty, "date": date, "state": "waiting_for_feel", "baseline_stage": v["baseline"]}, {}), lambda: say(given, said)


def seed(p):
    """Sixty mornings, so that trends have something to draw."""
    dice = random.Random(7)
    known = {m["statistic_id"]: m for m in p.ws.call("recorder/list_statistic_ids")}
    now = dt.datetime.now(dt.timezone.utc).replace(minute=0, second=0, microsecond=0)
    series = {}
    for id, base, spread in ((RMSSD, 48, 5), ("sensor.alex_morning_heart_rate", 52, 2)):
        if id not in known:
            raise Failed(f"no statistics of {id}")
        series[id] = [round(base + spread * math.sin(day / 9) + dice.uniform(-spread, spread), 1) for day in range(62, 0, -1)]
    ln = [math.log(v) for v in series[RMSSD]]
    mean, sd = sum(ln) / len(ln), math.sqrt(sum((x - sum(ln) / len(ln)) ** 2 for x in ln) / len(ln))
    week = [sum(ln[max(0, i - 6) : i + 1]) / len(ln[max(0, i - 6) : i + 1]) for i in range(len(ln))]
    for id, values in (
        ("morning_lnrmssd", ln), ("lnrmssd_7_d", week), ("normal_range_low", [mean - sd / 2] * 62), ("normal_range_high", [mean + sd / 2] * 62),
        ("load_7_d", [210 + 60 * math.sin(day / 5) for day in range(62)]),
    ):  # fmt: skip
        series[f"sensor.alex_{id}"] = [round(v, 3) for v in values]
    for id, values in series.items():
        rows = []
        for day, value in zip(range(62, 0, -1), values):
            start = now - dt.timedelta(days=day)
            rows += [{"start": (start + dt.timedelta(hours=h)).isoformat(), "mean": value, "min": value, "max": value} for h in range(24)]
        rows = [r for r in rows if r["start"] < (now - dt.timedelta(hours=1)).isoformat()]
        meta = {
            "has_sum": False, "mean_type": 1, "has_mean": True, "name": None, "source": "recorder", "statistic_id": id,
            "unit_of_measurement": known.get(id, {}).get("statistics_unit_of_measurement"), "unit_class": known.get(id, {}).get("unit_class"),
        }  # fmt: skip
        if "mean_type" not in known[RMSSD]:
            meta = {k: v for k, v in meta.items() if k not in ("mean_type", "unit_class")}
        else:
            meta.pop("has_mean")
        p.ws.call("recorder/import_statistics", metadata=meta, stats=rows)


def daemon_goes(p):
    """Its live values go with it; the broker says so."""
    p.daemon.stop()
    p.rest.wait(LIVE_HR, "unavailable", 20)
    p.rest.wait(RMSSD, "unavailable", 20)


def people_come_and_go(p):
    """A second person appears and goes without a trace; the first keeps ids and history."""
    before = {u: e["entity_id"] for u, e in p.entities().items()}
    p.daemon.run(p.broker, [*ALEX, KIM])
    until("Kim appears", lambda: any(".athlete.kim" in i for i in p.devices()), 40)
    p.rest.wait("sensor.kim_morning_check", "idle", 20)
    p.daemon.stop()
    p.daemon.run(p.broker, ALEX)
    until("Kim is gone", lambda: not any("kim" in i or "de31" in i for i in p.devices()), 60)
    after = {u: e["entity_id"] for u, e in p.entities().items()}
    expect(after == before, f"changed: {set(before.items()) ^ set(after.items())}")
    kept = [t for t in p.broker.retained() if "kim" in t or "de31" in t]
    expect(not kept, f"still on the broker: {kept}")
    p.daemon.stop()


def people_fall_silent(p):
    """Words only: what would never say a number is taken away, and comes back under the same ids."""
    before = {u: e["entity_id"] for u, e in p.entities().items()}
    p.daemon.run(p.broker, ALEX, 'publish = "words"')
    until("numbers are gone", lambda: not any(e["entity_id"] in (RMSSD, LIVE_HR) for e in p.entities().values()), 40)
    p.rest.wait("button.alex_start_morning_check", lambda s: s != "unavailable", 20)
    p.daemon.stop()
    p.daemon.run(p.broker, ALEX, 'publish = "nothing"')
    until("Alex is gone", lambda: {d for d in p.devices() if d.startswith("hrvd.")} == {"hrvd.demo.gateway"}, 40)
    kept = [t for t in p.broker.retained() if "alex" in t or "de30" in t]
    expect(not kept, f"still on the broker: {kept}")
    p.daemon.stop()
    p.daemon.run(p.broker, ALEX)
    until("everything is back", lambda: {u: e["entity_id"] for u, e in p.entities().items()} == before, 40)
    p.daemon.stop()


def log_is_clean(p):
    """No warning and no error in Home Assistant's log."""
    found = p.house.complaints()
    expect(not found, f"{len(found)} complaints:\n  " + "\n  ".join(found[:10]))
    issues = p.ws.call("repairs/list_issues")["issues"]
    ours = [i for i in issues if i["domain"] in ("mqtt", "automation", "template", "lovelace", "sensor")]
    expect(not ours, f"repairs: {ours}")


def blueprints_load(p):
    """Every blueprint is read without an error, and every automation made of one runs."""
    listed = {k: v for k, v in p.ws.call("blueprint/list", domain="automation").items() if k.startswith("hrvd/")}
    broken = {k: v["error"] for k, v in listed.items() if "error" in v}
    expect(len(listed) == 10 and not broken, f"{len(listed)} blueprints, broken: {broken}")
    automations = [s for s in p.ws.call("get_states") if s["entity_id"].startswith("automation.")]
    off = [s["entity_id"] for s in automations if s["state"] != "on"]
    expect(not off, f"not running: {off}")
    return f"{len(listed)} blueprints, {len(automations)} automations"
