"""Headless Chromium over its debugging protocol: pictures of dashboards, and what is wrong with them."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from client import Failed, WebSocket

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars"
).split()
# Through every shadow root: error cards, warnings, what still loads, texts that are wider than their place.
LOOK = r"""
(() => {
  const out = {errors: [], warnings: [], loading: 0, cards: 0, cut: [], text: [], wide: 0};
  const words = n => (n.shadowRoot ? n.shadowRoot.textContent : n.textContent).trim().slice(0, 200);
  const walk = n => {
    const tag = (n.tagName || '').toLowerCase();
    if (['style', 'script', 'svg'].includes(tag)) return;
    if (tag === 'hui-error-card' || tag === 'ha-alert' && n.alertType === 'error') out.errors.push(words(n) || tag);
    if (tag === 'hui-warning' || tag === 'hui-warning-element') out.warnings.push(words(n) || tag);
    if (['ha-spinner', 'ha-circular-progress', 'ha-fade-in'].includes(tag)) out.loading++;
    if (/^hui-.*-card$/.test(tag) && !['hui-grid-card'].includes(tag)) out.cards++;
    if (/^Loading/.test(words(n)) && !n.children.length) out.loading++;
    const ownText = [...n.childNodes].some(c => c.nodeType === 3 && c.textContent.trim());
    if (ownText && n.getBoundingClientRect) {
      const box = n.getBoundingClientRect(), style = getComputedStyle(n);
      if (n.scrollWidth > n.clientWidth + 1 && n.clientWidth > 0 && style.overflow !== 'visible') out.cut.push(words(n));
      if (box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)) out.cut.push('outside: ' + words(n));
    }
    if (n.shadowRoot) [...n.shadowRoot.children].forEach(walk);
    for (const c of n.childNodes) c.nodeType === 3 ? c.textContent.trim() && out.text.push(c.textContent.trim()) : walk(c);
  };
  walk(document.body);
  const view = document.scrollingElement;
  out.wide = view.scrollWidth - innerWidth;
  out.height = view.scrollHeight;
  return JSON.stringify(out);
})()
"""


class Browser:
    """One Chromium, logged in to one Home Assistant."""

    def __init__(self, rest, port):
        self.rest, self.events, self.n = rest, [], 0
        self.profile = tempfile.mkdtemp(prefix="hrvd-chromium-")
        self.process = subprocess.Popen(
            ["chromium", *FLAGS, "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", f"--user-data-dir={self.profile}",
             "--remote-debugging-address=127.0.0.1", f"--remote-debugging-port={port}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + 60
        while True:
            try:
                tabs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5))
                page = next(t for t in tabs if t["type"] == "page")
                break
            except (OSError, StopIteration):
                if time.monotonic() > end:
                    self.close()
                    raise Failed("Chromium does not start") from None
                time.sleep(0.1)
        self.ws = WebSocket(page["webSocketDebuggerUrl"])
        for domain in ("Page", "Runtime", "Log"):
            self.do(f"{domain}.enable")
        tokens = {
            "access_token": rest.browser_token(), "token_type": "Bearer", "refresh_token": rest.refresh, "expires_in": 1800,
            "hassUrl": rest.url, "clientId": rest.client_id, "expires": int(time.time() * 1000) + 1_700_000,
        }  # fmt: skip
        script = (
            f"try {{ localStorage.setItem('hassTokens', {json.dumps(json.dumps(tokens))});"
            " localStorage.setItem('dockedSidebar', '\"always_hidden\"'); } catch (e) {}"
        )
        self.do("Page.addScriptToEvaluateOnNewDocument", source=script)

    def do(self, method, **params):
        self.n += 1
        self.ws.send({"id": self.n, "method": method, "params": params})
        while True:
            answer = self.ws.receive()
            if answer.get("id") == self.n:
                if "error" in answer:
                    raise Failed(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def look(self):
        try:
            return json.loads(self.do("Runtime.evaluate", expression=LOOK, returnByValue=True)["result"]["value"])
        except (KeyError, TypeError):
            return None

    def show(self, path, width, dark, file=None, timeout=60):
        """Opens a page, waits until it is still, and says what is on it."""
        # what the page before said comes before this answer
        self.do("Runtime.evaluate", expression="0")
        self.events.clear()
        height = 900
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = "dark" if dark else "light"
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.do("Page.navigate", url=self.rest.url + path)
        end, calm, last = time.monotonic() + timeout, 0, None
        while calm < 3:
            if time.monotonic() > end:
                raise Failed(f"{path} does not come to rest: {last}")
            time.sleep(0.4)
            now = self.look()
            still = now and now["cards"] and not now["loading"] and last and now["cards"] == last["cards"]
            calm, last = (calm + 1 if still else 0), now
        if file:
            shot = self.do("Page.captureScreenshot", format="png")
            Path(file).write_bytes(base64.b64decode(shot["data"]))
        last["console"] = [
            json.dumps(e["params"])[:300]
            for e in self.events
            if e.get("method") == "Runtime.exceptionThrown"
            or e.get("method") == "Runtime.consoleAPICalled" and e["params"]["type"] == "error"
        ]
        return last

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)
