"""Runs in the guest and does what the host asks over the shared directory: NAME.req in, NAME.res out, both JSON.

{"sh": SCRIPT} runs a shell script, {"sim": COMMAND} speaks to the straps, {"hrvd": REQUEST} to the daemon's control
socket, {"process": UNIT} tells memory and file descriptors of a service. The answer holds the guest's clock before
and after (`t0`, `t1`, seconds since 1970), `rc` and `out`.
"""

import json
import os
import socket
import subprocess
import threading
import time

JOBS = "/lab/jobs"


def line(sock, text):
    sock.settimeout(20)
    sock.sendall(text.encode() + b"\n")
    answer = sock.makefile(encoding="utf-8").readline()
    if not answer:
        raise ConnectionError("no answer")
    return answer.strip()


def work(ask):
    if "sh" in ask:
        done = subprocess.run(["bash", "-c", ask["sh"]], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr
    if "sim" in ask:
        with socket.create_connection(("127.0.0.1", 9100), timeout=20) as s:
            answer = line(s, ask["sim"])
        return int(answer != "ok"), answer
    if "hrvd" in ask:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect("/run/hrvd/control.sock")
            return 0, line(s, json.dumps(ask["hrvd"]))
    shown = subprocess.run(["systemctl", "show", "-P", "MainPID", ask["process"]], capture_output=True, text=True)
    pid = int(shown.stdout)
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        fields = dict(row.split(":", 1) for row in f)
    rss = int(fields["VmRSS"].split()[0])
    return 0, json.dumps({"pid": pid, "rss_kb": rss, "fds": len(os.listdir(f"/proc/{pid}/fd"))})


def answer(name, ask):
    t0 = time.time()
    try:
        rc, out = work(ask)
    except Exception as e:  # the host shall know
        rc, out = 255, f"{type(e).__name__}: {e}"
    text = json.dumps({"t0": t0, "t1": time.time(), "rc": rc, "out": out})
    with open(f"{JOBS}/{name}.tmp", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(f"{JOBS}/{name}.tmp", f"{JOBS}/{name}.res")


def main():
    with open(f"{JOBS}/ready", "w", encoding="utf-8") as f:
        f.write(str(time.time()))
    while True:
        for entry in sorted(os.listdir(JOBS)):
            if entry.endswith(".req"):
                with open(f"{JOBS}/{entry}", encoding="utf-8") as f:
                    ask = json.load(f)
                os.unlink(f"{JOBS}/{entry}")
                threading.Thread(target=answer, args=(entry[:-4], ask), daemon=True).start()
        time.sleep(0.05)


main()
