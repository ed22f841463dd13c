"""A broker that asks for a password and encrypts, with the rules that docs/home-assistant.md gives to each of its two users."""

import secrets
from pathlib import Path

from client import Failed
from scenes import ALEX, PHASE, appears, expect, number
from stage import free_port, until

GUIDE = Path(__file__).resolve().parents[2] / "docs/home-assistant.md"


def behind_a_lock(p):
    """Both come in by TLS, password and their rules: everything is announced again, read and commanded; a stranger stays out."""
    rest = p.rest
    p.daemon.stop()
    rules = GUIDE.read_text().split("```acl\n")[1].split("```")[0]
    users = {"hrvd": secrets.token_hex(8), "homeassistant": secrets.token_hex(8)}
    rest.request("DELETE", f"/api/config/config_entries/entry/{mqtt(p)}")
    until("nothing is left of the old way in", lambda: not p.entities(), 20)
    # it complains of its own device triggers when the integration is taken away after people came and went
    complained = len(p.house.complaints())
    port = free_port()
    authority = p.broker.lock(port, users, rules)

    def come_in(password, certificate):
        tls = {"set_client_cert": False, "set_ca_cert": "custom", "transport": "tcp", "certificate": rest.upload("ca.pem", certificate)}
        way = {"broker": "127.0.0.1", "port": port, "username": "homeassistant", "password": password}
        rest.flow("mqtt", way, {"other_settings": tls})

    try:
        come_in("wrong", authority)
    except Failed:
        pass
    else:
        raise Failed("a wrong password lets in")
    come_in(users["homeassistant"], authority)
    p.daemon.run(p.broker, ALEX)
    p.rest.wait(PHASE, "idle", 40)
    rest.call("number.set_value", entity_id="number.alex_maximum_heart_rate", value=188)
    rest.wait("number.alex_maximum_heart_rate", "188")
    rest.call("number.set_value", entity_id="number.alex_wellness_sleep", value=4)
    rest.wait("number.alex_wellness_sleep", number(4))
    rest.call("button.press", entity_id="button.alex_start_morning_check")
    rest.wait(PHASE, "waiting_for_strap")
    rest.call("button.press", entity_id="button.alex_cancel_morning_check")
    rest.wait(PHASE, "aborted")
    rest.wait("event.alex_morning_check_event", "cancelled", attribute="event_type")
    said = appears(p, live=False)
    # its birth is heard: what it asks for again comes
    rest.post(f"/api/config/config_entries/entry/{mqtt(p)}/reload")
    rest.wait("number.alex_maximum_heart_rate", "188", 40)
    rest.call("button.press", entity_id="button.alex_start_morning_check")
    rest.wait(PHASE, "waiting_for_strap")
    rest.call("button.press", entity_id="button.alex_cancel_morning_check")
    rest.wait(PHASE, "aborted")
    refused = [line for line in p.daemon.output.read_text().splitlines() if "refused" in line or "not authorised" in line.lower()]
    expect(not refused, f"hrvd was refused: {refused[:3]}")
    p.daemon.stop()
    new = p.house.complaints()[complained:]
    expect(not new, f"{len(new)} complaints:\n  " + "\n  ".join(new[:5]))
    return said


def mqtt(p):
    return next(e["entry_id"] for e in p.ws.call("config_entries/get") if e["domain"] == "mqtt")
