"""The gateway speaks German: names, dashboard and what a day says. Ids, enums and event types stay."""

from effects import by_hand
from scenes import ALEX, LEVEL, MADE_UP, PHASE, RMSSD, expect, made_up_day
from stage import until


def german(p):
    """Another language renames what is shown and nothing else; a picture of it."""
    p.daemon.stop()
    before = {u: (e["entity_id"], e["original_name"]) for u, e in p.entities().items()}
    p.daemon.run(p.broker, ALEX, language="de")
    wanted = {c["uniq_id"]: c["name"] for m in p.announced() for c in m["payload"]["cmps"].values() if c["p"] != "device_automation"}
    until("German names", lambda: {u: e["original_name"] for u, e in p.entities().items()} == wanted, 40)
    after = p.entities()
    moved = [e["entity_id"] for u, e in after.items() if before[u][0] != e["entity_id"]]
    expect(not moved and after.keys() == before.keys(), f"other ids: {moved}")
    same = sorted(wanted[u] for u in wanted if wanted[u] == before[u][1])
    expect(set(same) <= SAME, f"not translated: {sorted(set(same) - SAME)}")
    p.rest.wait(PHASE, "idle", 20)
    note = f"{len(wanted) - len(same)} of {len(wanted)} names differ"
    dashboard = p.daemon.says("--config", str(p.config), "ha", "dashboard")
    p.daemon.stop()
    p.rest.wait(PHASE, "unavailable", 20)
    if p.browser:
        note += "; " + picture(p, dashboard)
    p.daemon.run(p.broker, ALEX)
    until("English again", lambda: {u: (e["entity_id"], e["original_name"]) for u, e in p.entities().items()} == before, 40)
    p.daemon.stop()
    return note


# words that both languages use
SAME = {"DFA alpha 1", "Form", "Motivation", "Plan", "RMSSD 30 s", "RMSSD 60 s", "RMSSD 5 min", "SDNN 5 min", "lnRMSSD 60 s"}


def picture(p, dashboard):
    """Today, as it is read by somebody whose gateway speaks German."""
    p.house.write("dashboards/hrvd.yaml", dashboard)
    by_hand(p)
    alex = "hrvd/demo/athlete/alex/"
    kept = p.broker.retained(alex + "#")
    p.broker.publish(alex + "morning", {"at": str(p.daemon.now()), **p.notes.get("morning", {}), **MADE_UP}, retain=True)
    p.rest.wait(RMSSD, "*")
    made_up_day(p, "de")[1]()
    look = p.browser.show("/hrvd-test/today", 390, False, p.pictures / "german-390.png")
    for what in ("errors", "warnings", "cut", "console"):
        expect(not look[what], f"{what}: {look[what][:3]}")
    english = [word for word in ("Morning check", "Readiness", "How do you feel", "Sleep", "Heart rate", "Several signs", "You slept") if word in look["text"]]
    expect(not english, f"English in a German dashboard: {english}: {look['text']}")
    for topic, said in kept.items():
        p.broker.publish(topic, said, retain=True)
    return f"{p.rest.state(LEVEL)['state']}, one picture"
