"""The measuring half of scripts/beside-peers. Usage: beside_peers.py BENCH HRVD SAMPLE [FILE]

Everybody gets the same intervals and is measured by CPU time (user and system) of one thread: the medians of several
runs. Ours come from child processes that do the work few and many times, so that their start is not in the difference;
`hrvd analyze` is measured as a user runs it, start, reading and JSON included.
"""
import importlib.metadata
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
bench, hrvd, sample = sys.argv[1:4]
DAY_S = 269 * 300 + 150


def day_of(path):
    """The sample, over and over until the day is full."""
    once = np.loadtxt(path)
    rr = np.tile(once, int(1 + DAY_S / (once.sum() / 1000)))
    return rr[: int(np.searchsorted(np.cumsum(rr) / 1000, DAY_S))]


file = sys.argv[4] if len(sys.argv) > 4 else None
if file is None:
    file = os.path.join(tempfile.mkdtemp(), "day.txt")
    pathlib.Path(file).write_text("".join(f"{x:g}\n" for x in day_of(sample)))
rr = np.loadtxt(file)
ends = np.cumsum(rr) / 1000
windows = [rr[(ends > 300 * k) & (ends <= 300 * k + 300)] for k in range(int(ends[-1] // 300))]
first = windows[0]
peaks = lambda x: np.round(np.cumsum(np.concatenate([[0], x]))).astype(int)


def cpu(work, runs):
    work()
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def child(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours(stage, many):
    few = many // 10
    per = [(child(bench, file, stage, str(many)) - child(bench, file, stage, str(few))) / (many - few) for _ in range(7)]
    return statistics.median(per)


def peer(name):
    try:
        return __import__(name)
    except Exception as e:  # a package that does not import is left out, and said so
        print(f"skipped: {name}: {e}", file=sys.stderr)
        return None


def show(title, seconds, ours_s=None):
    value = f"{seconds * 1e3:12.3f} ms"
    print(f"{title:<68} {value}" + (f"   {seconds / ours_s:8.0f} of ours" if ours_s else ""), flush=True)


versions = {}
for package in ["numpy", "scipy", "neurokit2", "hrv-analysis", "pyhrv", "nolds"]:
    try:
        versions[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pass
print(f"{len(rr)} intervals, {len(windows)} windows; Python {platform.python_version()}, {versions}")
print(f"load average {os.getloadavg()[0]:.1f}\n")

day, five = ours("day", 30), ours("five", 3000)
kubios, live = ours("labels-kubios", 30), ours("labels-live", 30)
show("ours: day in windows: time, Welch, DFA 4..16, live labels", day)
show("ours: five minutes, every metric (Lomb and breathing, too)", five)
show("ours: labels of the day, Lipponen & Tarvainen", kubios)
show("ours: labels of the day, live detector", live)
for stage in ["time", "welch", "lomb", "dfa", "entropy", "si", "breathing"]:
    show(f"ours: five minutes, {stage}", ours(stage, 5000))
w = [child(hrvd, "analyze", file, "--window", "300", "--json") for _ in range(7)]
show("ours: hrvd analyze FILE --window 300 --json, the whole process", statistics.median(w))
print()

ha, nk, nolds = peer("hrvanalysis"), peer("neurokit2"), peer("nolds")
py = peer("pyhrv.time_domain") and peer("pyhrv.frequency_domain")
if ha:

    def ha_all(x):
        x = list(x)
        ha.get_time_domain_features(x)
        ha.get_frequency_domain_features(x, method="welch")
        ha.get_poincare_plot_features(x)
        ha.get_sampen(x)

    show("hrv-analysis: five minutes: time, Welch, Poincaré, SampEn", cpu(lambda: ha_all(first), 15), five)
    show("hrv-analysis: day in windows, the same", cpu(lambda: [ha_all(x) for x in windows], 3), day)
if nk:

    def nk_all(x):
        p = peaks(x)
        nk.hrv_time(p, sampling_rate=1000)
        nk.hrv_frequency(p, sampling_rate=1000)
        nk.fractal_dfa(x, scale=range(4, 17))

    fix = lambda: nk.signal_fixpeaks(peaks(rr), sampling_rate=1000, iterative=False, method="Kubios")
    show("NeuroKit2: day in windows: time, Welch, DFA 4..16", cpu(lambda: [nk_all(x) for x in windows], 3), day)
    seconds = cpu(fix, 3)
    show("NeuroKit2: labels of the day (against Lipponen & Tarvainen)", seconds, kubios)
    show("NeuroKit2: labels of the day (against the live detector)", seconds, live)
if py and nolds:
    import matplotlib.pyplot as plt
    import pyhrv.frequency_domain as fd
    import pyhrv.time_domain as td

    def py_all(x):
        for f in [td.sdnn, td.rmssd, td.sdsd, td.nn50, td.nn20, td.hr_parameters]:
            f(x)
        fd.welch_psd(nni=x, show=False, mode="dev")
        nolds.dfa(x, nvals=range(4, 17), fit_exp="poly", overlap=False)
        plt.close("all")

    show("pyHRV + nolds: day in windows: time, Welch, DFA 4..16", cpu(lambda: [py_all(x) for x in windows], 3), day)
