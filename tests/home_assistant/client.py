"""Home Assistant's REST and websocket interfaces, and a websocket client that is enough for them and for Chromium's."""

import base64
import json
import re
import secrets
import socket
import struct
import time
import urllib.error
import urllib.parse
import urllib.request


# A busy machine takes its time; only what never comes fails.
PATIENCE = 4


# Sockets that must answer Home Assistant's pings while somebody waits for something else.
OPEN = []


def breathe():
    for socket in OPEN:
        socket.breathe()


class Failed(Exception):
    """What was expected did not happen."""


class WebSocket:
    """RFC 6455 without extensions."""

    def __init__(self, url, timeout=60):
        u = urllib.parse.urlparse(url)
        self.socket = socket.create_connection((u.hostname, u.port), timeout=timeout)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.socket.sendall(
            f"GET {u.path or '/'} HTTP/1.1\r\nHost: {u.hostname}:{u.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head[:200])

    def more(self):
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise ConnectionError("closed")
        self.buffer += chunk

    def take(self, n):
        while len(self.buffer) < n:
            self.more()
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def frame(self, opcode, payload):
        mask, n = secrets.token_bytes(4), len(payload)
        if n < 126:
            head = bytes([0x80 | opcode, 0x80 | n])
        elif n < 65536:
            head = bytes([0x80 | opcode, 0xFE]) + struct.pack(">H", n)
        else:
            head = bytes([0x80 | opcode, 0xFF]) + struct.pack(">Q", n)
        key = (mask * (n // 4 + 1))[:n]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(n, "big")
        self.socket.sendall(head + mask + masked)

    def send(self, value):
        self.frame(1, json.dumps(value).encode())

    def receive(self):
        out = b""
        while True:
            a, b = self.take(2)
            n = b & 127
            if n == 126:
                n = struct.unpack(">H", self.take(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", self.take(8))[0]
            payload, opcode = self.take(n), a & 15
            if opcode == 9:
                self.frame(10, payload)
            elif opcode == 8:
                raise ConnectionError("closed by the other side")
            elif opcode != 10:
                out += payload
                if a & 0x80:
                    return json.loads(out)

    def close(self):
        self.socket.close()


class Rest:
    """Requests to one Home Assistant."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.client_id = self.url + "/"
        self.token = None
        self.refresh = None

    def request(self, method, path, data=None, form=False):
        headers, body = {}, None
        if data is not None and form:
            body = urllib.parse.urlencode(data).encode()
        elif data is not None:
            body, headers["Content-Type"] = json.dumps(data).encode(), "application/json"
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                text = response.read()
        except urllib.error.HTTPError as e:
            raise Failed(f"{method} {path}: {e.code} {e.read()[:300]!r}") from None
        return json.loads(text) if text else None

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, data=None, form=False):
        return self.request("POST", path, data if data is not None else {}, form)

    def login(self):
        """The first start: an owner, and a token that lasts."""
        user = {"client_id": self.client_id, "name": "Test", "username": "test", "language": "en"}
        code = self.post("/api/onboarding/users", {**user, "password": secrets.token_hex(8)})["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code, "client_id": self.client_id}
        answer = self.post("/auth/token", grant, form=True)
        self.token, self.refresh = answer["access_token"], answer["refresh_token"]
        ws = self.socket()
        # newer versions take the port of the file on trial only, until somebody confirms it
        ws.call("http/config/promote", check=False)
        self.token = ws.call("auth/long_lived_access_token", client_name="test", lifespan=365)
        ws.close()

    def browser_token(self):
        grant = {"grant_type": "refresh_token", "refresh_token": self.refresh, "client_id": self.client_id}
        return self.post("/auth/token", grant, form=True)["access_token"]

    def socket(self):
        return Socket(self)

    def flow(self, handler, *answers):
        """Sets an integration up as the pages do; each answer is chosen by what is asked for."""
        step = self.post("/api/config/config_entries/flow", {"handler": handler, "show_advanced_options": True})
        for _ in range(4):
            if step["type"] == "create_entry":
                return step["result"]["entry_id"]
            if step["type"] == "abort" or step.get("errors"):
                break
            asked = {f["name"] for f in step["data_schema"] or []}
            known = {k: v for answer in answers for k, v in answer.items() if k in asked}
            step = self.post("/api/config/config_entries/flow/" + step["flow_id"], known)
        raise Failed(f"{handler} could not be set up: {step}")

    def upload(self, name, data):
        """A file for a form; gives its id."""
        edge = secrets.token_hex(8)
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        body = head.encode() + data + f"\r\n--{edge}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={edge}", "Authorization": "Bearer " + self.token}
        request = urllib.request.Request(self.url + "/api/file_upload", body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read())["file_id"]

    def state(self, entity):
        try:
            return self.get(f"/api/states/{entity}")
        except Failed:
            return None

    def wait(self, entity, want, timeout=25, attribute=None):
        """Waits for a state: a text, `*` for any value, `~` and a regular expression, or a function."""
        end, last = time.monotonic() + timeout * PATIENCE, None
        while time.monotonic() < end:
            last = self.state(entity)
            value = last and (last["attributes"].get(attribute) if attribute else last["state"])
            if last and fits(value, want):
                return last
            breathe()
            time.sleep(0.1)
        value = last and (last["attributes"].get(attribute) if attribute else last["state"])
        raise Failed(f"{entity}{' ' + attribute if attribute else ''} is {value!r}, wanted {getattr(want, '__name__', want)!r}")

    def call(self, service, **data):
        domain, name = service.split(".")
        return self.post(f"/api/services/{domain}/{name}", data)


def fits(value, want):
    if callable(want):
        return want(value)
    if want == "*":
        return value not in (None, "unknown", "unavailable")
    if isinstance(want, str) and want.startswith("~"):
        return re.search(want[1:], str(value)) is not None
    return value == want


class Socket:
    """Commands and events over the websocket."""

    def __init__(self, rest):
        self.ws = WebSocket(rest.url.replace("http", "ws", 1) + "/api/websocket")
        self.ws.receive()
        self.ws.send({"type": "auth", "access_token": rest.token})
        hello = self.ws.receive()
        if hello["type"] != "auth_ok":
            raise Failed(f"not let in: {hello}")
        self.version, self.n, self.events, self.breathed = hello["ha_version"], 0, [], time.monotonic()
        OPEN.append(self)

    def call(self, kind, check=True, **more):
        self.n += 1
        self.ws.send({"id": self.n, "type": kind, **more})
        while True:
            answer = self.ws.receive()
            if answer["type"] == "event":
                self.events.append(answer["event"])
            elif answer.get("id") == self.n and answer["type"] == "result":
                if not answer["success"] and check:
                    raise Failed(f"{kind}: {answer['error']}")
                return answer.get("result")

    def subscribe(self, kind):
        self.call("subscribe_events", event_type=kind)

    def seen(self):
        """Events so far: a command comes back after everything that was sent before it."""
        self.call("get_config")
        out, self.events = self.events, []
        return out

    def breathe(self):
        if time.monotonic() - self.breathed > 10:
            self.breathed = time.monotonic()
            try:
                self.call("get_config")
            except OSError:
                # whoever uses it next will hear of it
                OPEN.remove(self)

    def close(self):
        if self in OPEN:
            OPEN.remove(self)
        self.ws.close()
