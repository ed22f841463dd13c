"""Simulated heart-rate straps and the adapter that hears them.

    straps.py LOG "name=A,address=C0:..,hr=60" ...

LOG gets one JSON line for everything that happens, with the time since boot (`t`) and the wall clock (`w`): the ground
truth of the lab. Commands come over TCP on 127.0.0.1:9100, a line each; see `Strap.command` and `World.command`.
"""

import asyncio
import json
import random
import struct
import sys
import time

from bumble import att, hci
from bumble.core import AdvertisingData
from bumble.device import Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.host import Host

from radio import Adapter, Air, Radio

PERIOD = 1.0  # seconds between notifications
MAX_RR = 9  # what fits into the smallest MTU
ADVERTISE_MS = 125  # bumble takes the HCI value for milliseconds: this makes an advertisement every 200 ms
log_file = None


def boot_time():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def log(what, **more):
    stamp = {"t": round(boot_time(), 6), "w": round(time.time(), 6), "ev": what}
    log_file.write(json.dumps(stamp | more) + "\n")
    log_file.flush()


class Strap:
    def __init__(self, air, spec):
        self.air = air
        self.name = spec["name"]
        self.address = hci.Address(spec["address"], hci.Address.RANDOM_DEVICE_ADDRESS)
        self.hr = float(spec.get("hr", 60))
        self.uint16 = spec.get("hr16") == "1"
        self.energy = 0 if spec.get("energy") == "1" else None
        self.dice = random.Random(self.name)
        self.beats = 0  # how many there were, sent or not
        self.unsent = []  # RR in 1/1024 s of the newest ones
        self.link = None
        self.subscribed = False
        self.stalled = self.held = False
        self.unreadable = False
        self.drops_after = None  # s, each connection

    async def start(self):
        self.radio = Radio(self.name, link=self.air)
        host = Host()
        host.controller = self.radio
        host.snooper = None
        self.device = Device(config=DeviceConfiguration(name=self.name, address=self.address), host=host)
        P, C = Characteristic.Properties, Characteristic
        self.measurement = C("2A37", P.NOTIFY, C.Permissions(0), b"")
        battery = C("2A19", P.READ | P.NOTIFY, C.READABLE, self.readable(bytes([80])))
        location = C("2A38", P.READ, C.READABLE, self.readable(bytes([1])))
        facts = [("2A29", "hrvd"), ("2A24", "lab strap"), ("2A25", f"SN-{self.name}"), ("2A26", "1.0")]
        self.device.add_services([
            Service("180D", [self.measurement, location]),
            Service("180F", [battery]),
            Service("180A", [C(uuid, P.READ, C.READABLE, self.readable(text.encode())) for uuid, text in facts]),
        ])
        self.measurement.on("subscription", self.on_subscription)
        self.device.on("connection", self.on_connection)
        await self.device.power_on()
        await self.advertise()
        asyncio.ensure_future(self.beat())

    def readable(self, value):
        def read(_):
            if self.unreadable:
                log("unreadable", strap=self.name)
                raise att.ATT_Error(att.ErrorCode.UNLIKELY_ERROR)
            return value

        return CharacteristicValue(read=read)

    async def advertise(self):
        if self.link is not None:
            return
        data = bytes(AdvertisingData([
            (AdvertisingData.FLAGS, b"\x06"),
            (AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, struct.pack("<H", 0x180D)),
            (AdvertisingData.COMPLETE_LOCAL_NAME, self.name.encode()),
        ]))
        await self.device.start_advertising(
            own_address_type=hci.OwnAddressType.RANDOM,
            advertising_data=data,
            scan_response_data=data,
            auto_restart=False,
            advertising_interval_min=ADVERTISE_MS,
            advertising_interval_max=ADVERTISE_MS,
        )

    def on_connection(self, link):
        self.link = link
        link.on("disconnection", self.on_disconnection)
        log("connected", strap=self.name)
        if self.drops_after:
            asyncio.ensure_future(self.drop(link, self.drops_after))

    async def drop(self, link, seconds):
        await asyncio.sleep(seconds)
        if self.link is link:
            await link.disconnect(hci.HCI_ErrorCode.UNACCEPTABLE_CONNECTION_PARAMETERS_ERROR)

    def on_disconnection(self, reason):
        self.link = None
        self.subscribed = False
        log("disconnected", strap=self.name, reason=reason)
        asyncio.ensure_future(self.advertise())

    def on_subscription(self, _connection, notify, _indicate):
        self.subscribed = notify
        log("subscription", strap=self.name, on=notify)

    async def beat(self):
        """The heart beats in real time; once a period the strap sends what it has gathered."""
        next_beat = next_send = time.monotonic()
        rr = 0
        while True:
            now = time.monotonic()
            while next_beat <= now:
                if rr:
                    self.unsent.append(rr)
                    self.beats += 1
                rr = max(300, round(self.dice.gauss(61440 / self.hr, 30)))
                next_beat += rr / 1024
            if now >= next_send:
                next_send = max(next_send + PERIOD, now)
                await self.send_beats()
            await asyncio.sleep(max(0.001, min(next_beat, next_send) - time.monotonic()))

    async def send_beats(self):
        if self.link is None or not self.subscribed or self.stalled:
            self.unsent.clear()
            return
        while not self.held:
            rr, self.unsent = self.unsent[:MAX_RR], self.unsent[MAX_RR:]
            await self.send(self.frame(rr), rr, self.beats - len(self.unsent) - len(rr))
            if not self.unsent:
                return

    def frame(self, rr):
        flags, hr = 0x06, round(61440 * len(rr) / sum(rr)) if rr else round(self.hr)
        body = struct.pack("<H", hr) if self.uint16 else bytes([min(hr, 255)])
        flags |= 0x01 if self.uint16 else 0
        if self.energy is not None:
            self.energy += 1
            flags |= 0x08
            body += struct.pack("<H", self.energy & 0xFFFF)
        flags |= 0x10 if rr else 0
        return bytes([flags]) + body + struct.pack(f"<{len(rr)}H", *rr)

    async def send(self, value, rr=(), first=None):
        reach = self.radio not in self.air.out_of_reach and self.link is not None
        # logged first: the log must not be later than the notification
        log("sent", strap=self.name, hex=value.hex(), rr=list(rr), first=first, reach=reach)
        if self.link is not None:
            await self.device.notify_subscriber(self.link, self.measurement, value)

    async def command(self, word, *args):
        """disconnect | vanish SUPERVISION | appear | stall | hold | resume | refuse | accept | raw HEX... |
        unreadable | readable | drops SECONDS | keeps"""
        if word == "disconnect":
            await self.link.disconnect(0x13)
        elif word == "vanish":
            self.air.out_of_reach.add(self.radio)
            self.air.supervise(self.radio, float(args[0]))
        elif word == "appear":
            self.air.returned(self.radio)
        elif word in ("stall", "hold"):
            self.stalled, self.held = word == "stall", word == "hold"
        elif word == "resume":
            self.stalled = self.held = False
        elif word == "refuse":
            self.air.refusing.add(self.radio)
        elif word == "accept":
            self.air.refusing.discard(self.radio)
        elif word in ("unreadable", "readable"):
            self.unreadable = word == "unreadable"
        elif word in ("drops", "keeps"):
            self.drops_after = float(args[0]) if args else None
            if self.drops_after and self.link is not None:
                asyncio.ensure_future(self.drop(self.link, self.drops_after))
        elif word == "raw":
            for value in args:
                await self.send(bytes.fromhex(value.replace("-", "")))
        else:
            raise ValueError(f"no command {word}")


class World:
    def __init__(self, specs):
        self.air = Air()
        self.adapter = Adapter(self.air, "B8:27:EB:12:34:56")
        self.straps = {s["name"]: Strap(self.air, s) for s in specs}

    async def command(self, target, word, *args):
        if target == "adapter":
            self.adapter.plug() if word == "plug" else self.adapter.unplug()
        else:
            await asyncio.gather(*(s.command(word, *args) for n, s in self.straps.items() if target in (n, "*")))

    async def client(self, reader, writer):
        while line := await reader.readline():
            try:
                log("command", text=line.decode().strip())
                await self.command(*line.decode().split())
                writer.write(b"ok\n")
            except Exception as e:  # the one who asked shall know
                writer.write(f"error {type(e).__name__}: {e}\n".encode())
            await writer.drain()
        writer.close()

    async def run(self):
        self.adapter.plug()
        for strap in self.straps.values():
            await strap.start()
        await asyncio.start_server(self.client, "127.0.0.1", 9100)
        while True:
            log("time")
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    log_file = open(sys.argv[1], "a", encoding="utf-8")
    asyncio.run(World([dict(pair.split("=", 1) for pair in a.split(",")) for a in sys.argv[2:]]).run())
