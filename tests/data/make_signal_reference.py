"""Writes the synthetic series and signal_reference.json beside this file.

Usage: python make_signal_reference.py DIR_OF_PLAIN_DEFINITIONS
DIR holds metrics.py, the plain numpy/scipy definitions of docs/signal.md. Needs numpy, scipy and neurokit2 0.2.13.
The values in the repository come from numpy 2.4.6, scipy (current at the same date) and neurokit2 0.2.13.
"""
import json, pathlib, sys
import numpy as np
import neurokit2 as nk

sys.path.insert(0, sys.argv[1])
import metrics as spec

here = pathlib.Path(__file__).parent


def simulate(seconds, mean, rsa, rate, wave, drift, jitter, seed):
    """A heart that breathes, quantised to 1/1024 s as straps do."""
    r = np.random.default_rng(seed)
    t = slow = phase = 0.0
    out = []
    while t < seconds:
        slow = 0.97 * slow + 0.24 * r.normal()
        x = (mean + rsa * np.sin(phase) + wave * np.sin(2 * np.pi * 0.095 * t) + drift * slow + jitter * r.normal())
        x = round(float(np.clip(x, 310, 1950)) * 1.024) / 1.024
        t += x / 1000
        phase += 2 * np.pi * rate / 60 * x / 1000 * (1 + 0.1 * r.normal())
        out.append(x)
    return np.array(out)


def spoil(rr, seed):
    """Five per cent of artifacts of every kind."""
    r = np.random.default_rng(seed)
    out, i = [], 0
    while i < len(rr):
        if i % 20 == 13 and i + 1 < len(rr):
            a, b = rr[i], rr[i + 1]
            kind = r.integers(5)
            if kind == 0: out.append(a + b); i += 2
            elif kind == 1: out += [a * 0.45, a * 0.55]; i += 1
            elif kind == 2: d = a * r.uniform(0.2, 0.4); out += [a - d, b + d]; i += 2
            elif kind == 3: out.append(a * 1.4); i += 1
            else: out.append(a * 0.65); i += 1
        else:
            out.append(rr[i]); i += 1
    return np.array(out)


series = {
    "sim_rest": simulate(330, 960, 45, 13, 20, 20, 8, 1),
    "sim_strong_rsa": simulate(330, 1180, 130, 11, 20, 25, 10, 2),
    "sim_run": simulate(200, 350, 1.5, 40, 1, 4, 1.5, 3),
}
series["sim_artifacts"] = spoil(simulate(330, 880, 30, 15, 15, 15, 6, 4), 5)
for name, rr in series.items():
    (here / f"{name}.txt").write_text("".join(f"{x:.4f}\n" for x in rr))

files = {}
for name in ["pyhrv_short", "pyhrv_long", *series]:
    rr = np.loadtxt(here / f"{name}.txt")
    windows = {"full": rr, "w120_at60": spec.window(rr, 60, 120)}
    if name == "pyhrv_long":
        windows["w300_at1800"] = spec.window(rr, 1800, 300)
    files[name] = {}
    for key, x in windows.items():
        lab = spec.lt_nk(x)
        cor = spec.lt_correct(x, lab)
        d = spec.nn_pairs(x, lab)
        td = spec.time_domain(x) | spec.poincare(x)
        peaks = np.cumsum(np.concatenate([[0], x]))
        art, _ = nk.signal_fixpeaks(np.round(peaks).astype(int), sampling_rate=1000, iterative=False, method="Kubios")
        h = nk.hrv_time(np.round(peaks).astype(int), sampling_rate=1000)
        long = len(x) > 2000
        non = dict(a1_both=spec.dfa(x), a1_fwd=spec.dfa(x, mode="fwd"), a1_half=spec.dfa(x, mode="half"),
                   a1_fatmaxxer=spec.dfa(x, spec.SCALES_FM), a1_fatmaxxer_sp500=spec.dfa(x, spec.SCALES_FM, detrend="sp500"),
                   sampen=None if long else spec.sampen(x), baevsky=spec.baevsky(x))
        files[name][key] = {
            "raw": {"time": {"spec": td, "neurokit2": {k: float(h["HRV_" + n].iloc[0]) for k, n in
                                                        [("sdnn", "SDNN"), ("rmssd", "RMSSD"), ("sdsd", "SDSD")]}},
                    "freq": {"spec": {} if long else {"welch": spec.welch(x), "welch_sp500": spec.welch(x, detrend="sp500"), "lomb": spec.lomb(x)}},
                    "nonlinear": {"spec": non}},
            "neurokit2_labels": {k: sorted(int(i) for i in art[k]) for k in ["ectopic", "missed", "extra", "longshort"]},
            "spec_artifacts": {"lt_nk": {"labels": "".join(lab), "pairs": len(d), "rmssd_excl": float(np.sqrt(np.mean(d * d)))},
                               "time_corr": spec.time_domain(cor),
                               "dfa_fatmaxxer_sp500_corr": spec.dfa(cor, spec.SCALES_FM, detrend="sp500"),
                               "resp_raw": spec.resp_count(x), "resp_corr": spec.resp_count(cor)},
        }
json.dump({"files": files}, open(here / "signal_reference.json", "w"), indent=1)
