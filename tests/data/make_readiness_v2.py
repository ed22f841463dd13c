#!/usr/bin/env python3
"""Version 2 of the readiness model in plain Python, written from docs/readiness.md and not from the Rust code.

Reads the inputs of readiness_v1.json, adds days that tell the versions apart, and prints readiness_v2.json:
    python3 make_readiness_v2.py > readiness_v2.json
"""
import json
import os
import statistics

WEIGHT = {"hrv_week_low": 1, "hrv_today_low": 1, "hrv_today_very_low": 2, "rhr_high": 1, "rhr_very_high": 2,
          "sleep_short": 1, "sleep_very_short": 2, "sleep_debt": 1, "wellness_poor": 1, "wellness_very_poor": 2}
GROUP = {"hrv": "autonomic", "rhr": "autonomic", "sleep": "subjective", "wellness": "subjective"}


def values(series):
    return [x for x in series if x is not None]


def spread(series):
    return statistics.stdev(series) if len(series) > 1 else 0.0


def verdict(day):
    flags, out = [], {}
    ln = day.get("ln_rmssd") or [None]
    base, week, today = values(ln[-61:-1]), values(ln[-7:]), ln[-1]
    n = len(base)
    out["n_base"], out["n_week"] = n, len(week)
    out["baseline"] = "learning" if n < 14 else "provisional" if n < 30 else "normal"
    moves = n >= 14 and spread(base) >= 0.005
    heart = False
    if n >= 14:
        m, s = statistics.fmean(base), max(spread(base), 0.05)
        out["base_mean"], out["base_sd"], out["range_lo"], out["range_hi"] = m, s, m - s / 2, m + s / 2
    out["no_spread"] = n >= 14 and not moves
    if moves:
        if len(week) >= 3:
            heart, out["mean7"] = True, statistics.fmean(week)
            if out["mean7"] < m - 0.85 * s:
                flags.append("hrv_week_low")
            elif out["mean7"] > m + 0.5 * s:
                flags.append("hrv_week_high")
        if today is not None:
            heart, out["z_today"] = True, (today - m) / s
            z = out["z_today"]
            flags += ["hrv_today_very_low"] if z < -2 else ["hrv_today_low"] if z < -1.75 else []
            flags += ["hrv_today_high"] if z > 2 else []
        if n >= 28 and len(week) >= 5:
            out["cv7"], out["cv_base"] = 100 * spread(week) / statistics.fmean(week), 100 * s / m
            flags += ["hrv_unstable"] if out["cv7"] > 1.5 * out["cv_base"] else []
    pulse = day.get("rhr") or [None]
    base = values(pulse[-61:-1])
    if pulse[-1] is not None and len(base) >= 14:
        heart, delta = True, pulse[-1] - statistics.fmean(base)
        z = delta / max(spread(base), 1.0)
        out["rhr_delta"], out["rhr_z"] = delta, z
        flags += ["rhr_very_high"] if z > 2 and delta >= 5 else ["rhr_high"] if z > 1.75 and delta >= 3 else []
    told = False
    nights = day.get("sleep_h") or [None]
    if nights[-1] is not None:
        told, slept, usual = True, nights[-1], values(nights[-29:-1])
        need = min(8.0, max(7.0, statistics.median(usual))) if len(usual) >= 14 else 8.0
        three = values(nights[-3:])
        if slept < 5:
            flags.append("sleep_very_short")
        elif slept < max(6.0, need - 1.5):
            flags.append("sleep_short")
        elif len(three) == 3 and need - statistics.fmean(three) > 1:
            flags.append("sleep_debt")
    sums = day.get("hooper") or [None]
    if sums[-1] is not None:
        told, now, base, z = True, sums[-1], values(sums[-61:-1]), None
        if len(base) >= 7:
            z = out["hooper_z"] = (now - statistics.fmean(base)) / max(spread(base), 1.0)
        if now >= 24 or (z is not None and z > 2.5):
            flags.append("wellness_very_poor")
        elif now >= 20 or (z is not None and z > 1.5) or max(day.get("hooper_items") or [0]) >= 6:
            flags.append("wellness_poor")
    load, hard = day.get("load") or [], day.get("hours_since_hard")
    if hard is not None and hard < 48:
        flags.append("hard_recent")
    if len(load) >= 7:
        seven = load[-7:]
        out["load7"] = sum(seven)
        if spread(seven) > 0 and statistics.fmean(seven) / spread(seven) > 2:
            flags.append("monotony")
    if len(load) >= 35:
        out["chronic_week"] = sum(load[-35:-7]) / 4
        if out["chronic_week"] > 0:
            out["load_ratio"] = out["load7"] / out["chronic_week"]
            flags += ["load_spike"] if out["load_ratio"] > 1.5 else []
    weeks = [sum(load[len(load) - 7 * k - 7:len(load) - 7 * k]) for k in range(len(load) // 7)][::-1]
    if len(weeks) >= 4:
        lighter = [i for i in range(3, len(weeks)) if 0 < sum(weeks[i - 3:i]) and weeks[i] <= 0.25 * sum(weeks[i - 3:i])]
        out["weeks_since_cutback"] = len(weeks) - 1 - lighter[-1] if lighter else len(weeks)
        flags += ["cutback_due"] if out["weeks_since_cutback"] >= 4 and weeks[-1] > 0 else []

    points = {"autonomic": 0, "subjective": 0}
    for f in flags:
        group = GROUP.get(f.split("_")[0])
        if group:
            points[group] = min(2, points[group] + WEIGHT.get(f, 0))
    total, both = sum(points.values()), all(points.values())
    low = {"hrv_week_low", "hrv_today_low", "hrv_today_very_low"} & set(flags)
    strong = {"hrv_week_low", "hrv_today_very_low", "rhr_very_high"} & set(flags)
    # one recording does not confirm itself, a week does
    agreement = bool(low and {"rhr_high", "rhr_very_high"} & set(flags) and strong)
    if day.get("sick"):
        level = "REST"
    elif not (heart or told):
        level = "UNKNOWN"
    elif total == 0:
        level = "GO"
    elif total >= 4 and both:
        level = "REST"
    elif agreement or both:
        level = "EASY"
    else:
        level = "CAUTION"
    heavy = any(WEIGHT.get(f, 0) == 2 for f in flags)
    hard_advice = {"UNKNOWN": "your_call", "EASY": "no", "REST": "no"}.get(level)
    if level == "GO":
        hard_advice = "no" if "hard_recent" in flags else "yes"
    if level == "CAUTION":
        hard_advice = "no" if heavy or {"hrv_week_low", "hard_recent"} & set(flags) else "if_warmup_feels_good"
    known = [k for k, there in (("autonomic", heart), ("subjective", told), ("load", len(load) >= 7 or hard is not None)) if there]
    full = len(known) == 3 and out["baseline"] == "normal" and not out["no_spread"]
    out.update(flags=[{"id": f, "weight": WEIGHT.get(f, 0)} for f in flags], total=total, level=level, hard=hard_advice, known=known,
               agreement=agreement, score=None if level == "UNKNOWN" else 0 if day.get("sick") else round(100 - 100 * total / 6),
               confidence="high" if full else "medium" if len(known) >= 2 and n >= 14 else "low")
    return out


def rounded(x):
    if isinstance(x, dict):
        return {k: rounded(v) for k, v in x.items()}
    if isinstance(x, list):
        return [rounded(v) for v in x]
    return round(x, 6) if isinstance(x, float) else x


here = os.path.dirname(os.path.abspath(__file__))
days = {k: v["input"] for k, v in json.load(open(os.path.join(here, "readiness_v1.json")))["vectors"].items()}
normal = days["v01_all_normal"]
mean, sd = statistics.fmean(normal["ln_rmssd"][:-1]), statistics.stdev(normal["ln_rmssd"][:-1])


def other(**change):
    return {**normal, **change}


def morning(z):
    return normal["ln_rmssd"][:-1] + [round(mean + z * sd, 6)]


days.update(
    w01_one_low_day_is_chance=other(ln_rmssd=morning(-1.5)),
    w02_a_rarer_one_is_not=other(ln_rmssd=morning(-1.85)),
    w03_one_recording_does_not_confirm_itself=other(ln_rmssd=morning(-1.9), rhr=normal["rhr"][:-1] + [55.5]),
    w04_unless_it_is_strong=other(ln_rmssd=morning(-2.4), rhr=normal["rhr"][:-1] + [56]),
    w05_heart_and_feel_agree=other(ln_rmssd=morning(-1.9), hooper=normal["hooper"][:-1] + [12]),
    w06_usual_sleep=other(sleep_h=[7.0] * 27 + [7.1, 5.9]),
    w07_usual_sleep_is_enough=other(sleep_h=[7.0] * 27 + [7.0, 6.3]),
    w08_no_spread=other(ln_rmssd=[4.1] * 60 + [3.0]),
    w09_hard_yesterday_is_no_alarm=other(hours_since_hard=20),
    w10_two_strong_groups=other(ln_rmssd=morning(-2.6), hooper=normal["hooper"][:-1] + [16], hooper_items=[6, 4, 3, 3]),
)
print(json.dumps({"vectors": {k: {"input": v, "expected": rounded(verdict(v))} for k, v in days.items()}}, separators=(",", ":")))
