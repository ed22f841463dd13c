//! What the fake bluetoothd knows and how it behaves. No I/O: messages go into a queue.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;
use zbus::Message;
use zbus::zvariant::{ObjectPath, OwnedValue, Value};

const ADAPTER1: &str = "org.bluez.Adapter1";
const DEVICE1: &str = "org.bluez.Device1";
const SERVICE1: &str = "org.bluez.GattService1";
const CHARACTERISTIC1: &str = "org.bluez.GattCharacteristic1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const FAILED: &str = "org.bluez.Error.Failed";
const IN_PROGRESS: &str = "org.bluez.Error.InProgress";
/// A strap advertises so often.
const ADVERTISING_INTERVAL: Duration = Duration::from_millis(200);

type Properties = HashMap<&'static str, Value<'static>>;

/// The GATT table of a strap: service, characteristic, flags.
const TABLE: [(u16, u16, &[&str]); 9] = [
    (0x180d, 0x2a37, &["notify"]),
    (0x180d, 0x2a38, &["read"]),
    (0x180f, 0x2a19, &["read", "notify"]),
    (0x180a, 0x2a29, &["read"]),
    (0x180a, 0x2a24, &["read"]),
    (0x180a, 0x2a25, &["read"]),
    (0x180a, 0x2a26, &["read"]),
    (0x180a, 0x2a27, &["read"]),
    (0x180a, 0x2a28, &["read"]),
];

fn uuid(short: u16) -> String {
    format!("0000{short:04x}-0000-1000-8000-00805f9b34fb")
}

/// Whose ways the fake has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Debian 12.
    #[default]
    V5_66,
    /// Debian 13 and today's Raspberry Pi OS.
    V5_82,
}

impl Version {
    pub const BOTH: [Self; 2] = [Self::V5_66, Self::V5_82];

    /// The text of a second connect while the first is under way.
    fn busy(self) -> &'static str {
        match self {
            Self::V5_66 => "Operation already in progress",
            Self::V5_82 => "In Progress",
        }
    }
}

/// What becomes of a connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectMode {
    /// Succeeds after a while.
    Accept(Duration),
    /// The strap advertises but does not take the connection: an error after a while, and the object is removed.
    Refuse(Duration),
    /// No answer; BlueZ goes on trying.
    Hang,
}

/// One adapter.
#[derive(Debug)]
pub struct Controller {
    address: &'static str,
    plugged: bool,
    powered: bool,
    /// By rfkill.
    blocked: bool,
    scanner: Option<String>,
}

impl Controller {
    fn new(address: &'static str) -> Self {
        Self { address, plugged: true, powered: true, blocked: false, scanner: None }
    }

    fn properties(&self) -> Properties {
        HashMap::from([
            ("Address", Value::from(self.address)),
            ("AddressType", Value::from("public")),
            ("Name", Value::from("fake")),
            ("Alias", Value::from("fake")),
            ("Modalias", Value::from("usb:v1D6Bp0246d0542")),
            ("Powered", Value::from(self.powered)),
            ("Discovering", Value::from(self.scanner.is_some())),
        ])
    }
}

/// One strap and its script.
#[derive(Debug)]
pub struct Strap {
    pub address: String,
    /// The adapter that hears it.
    pub adapter: &'static str,
    pub name: String,
    /// In radio reach.
    pub in_range: bool,
    /// Advertises while it is not connected.
    pub advertising: bool,
    pub connect: ConnectMode,
    /// BlueZ has an object for it.
    pub object: bool,
    pub connected: bool,
    /// Signal strength as BlueZ remembers it.
    pub rssi: Option<i16>,
    pub battery: u8,
    /// Services of these numbers are missing.
    pub without: BTreeSet<u16>,
    /// StartNotify fails like this so many times.
    pub subscribe_faults: u32,
    /// ReadValue fails with an ATT error.
    pub unreadable: bool,
    /// How long an answer to ReadValue takes; `None` never comes.
    pub read_delay: Option<Duration>,
    /// The first read finds it out of reach.
    pub gone_at_read: bool,
    /// How long a disconnect takes (2.0 to 2.6 s on the real thing).
    pub disconnect_takes: Duration,
    /// Connected at least once, so that a restart does not forget it.
    known: bool,
    /// GATT objects are on the bus.
    gatt: bool,
    /// BlueZ is trying to connect; perhaps somebody waits for the answer.
    trying: bool,
    waiting: Option<Message>,
    /// Reads that were asked for out of reach, while the link still counts as up.
    stuck: Vec<Message>,
    sessions: BTreeSet<(u16, String)>,
    advertised: Option<Instant>,
    /// How often the link came up.
    pub connections: usize,
}

impl Strap {
    pub fn new(address: &str, name: &str) -> Self {
        Self {
            address: address.to_owned(),
            adapter: "hci0",
            name: name.to_owned(),
            in_range: true,
            advertising: true,
            connect: ConnectMode::Accept(Duration::from_millis(50)),
            object: false,
            connected: false,
            rssi: None,
            battery: 90,
            without: BTreeSet::new(),
            subscribe_faults: 0,
            unreadable: false,
            read_delay: Some(Duration::ZERO),
            gone_at_read: false,
            disconnect_takes: Duration::from_millis(100),
            known: false,
            gatt: false,
            trying: false,
            waiting: None,
            stuck: Vec::new(),
            sessions: BTreeSet::new(),
            advertised: None,
            connections: 0,
        }
    }

    /// Was connected on another day; now out of reach.
    pub fn remember(&mut self) {
        self.known = true;
        self.object = true;
        self.in_range = false;
    }

    fn path(&self) -> String {
        format!("/org/bluez/{}/dev_{}", self.adapter, self.address.replace(':', "_"))
    }

    fn properties(&self) -> Properties {
        let uuids: Vec<String> =
            [0x180d, 0x180f, 0x180a].into_iter().filter(|u| !self.without.contains(u)).map(uuid).collect();
        let mut p: Properties = HashMap::from([
            ("Address", Value::from(self.address.clone())),
            ("AddressType", Value::from("random")),
            ("Name", Value::from(self.name.clone())),
            ("Alias", Value::from(self.name.clone())),
            ("UUIDs", Value::from(uuids)),
            ("Connected", Value::from(self.connected)),
            ("ServicesResolved", Value::from(self.connected && self.gatt)),
        ]);
        for flag in ["Paired", "Bonded", "Trusted", "Blocked", "LegacyPairing"] {
            p.insert(flag, Value::from(false));
        }
        if let Some(rssi) = self.rssi {
            p.insert("RSSI", Value::from(rssi));
        }
        p
    }

    fn has(&self, service: u16, characteristic: u16) -> bool {
        self.gatt && !self.without.contains(&service) && !self.without.contains(&characteristic)
    }

    fn value(&self, characteristic: u16) -> Vec<u8> {
        match characteristic {
            0x2a19 => vec![self.battery],
            0x2a38 => vec![1],
            0x2a29 => b"Acme".to_vec(),
            0x2a24 => b"Strap 1".to_vec(),
            0x2a25 => b"0815\0".to_vec(),
            0x2a26 => b"1.2.3".to_vec(),
            0x2a27 => b"B".to_vec(),
            0x2a28 => b"4.5".to_vec(),
            _ => Vec::new(),
        }
    }
}

#[derive(Debug)]
enum Later {
    Reply(Message, Vec<u8>),
    Connected(String),
    Refused(String),
    Disconnected(String, Message),
    /// A new bluetoothd tells of a link that the one before it had.
    FoundGone(String),
}

/// Everything bluetoothd knows.
#[derive(Debug)]
pub struct World {
    pub version: Version,
    pub straps: BTreeMap<String, Strap>,
    pub calls: Vec<String>,
    /// Most connects that were under way at the same time.
    pub most_connecting: usize,
    /// A connect was asked for while scanning.
    pub connected_while_scanning: bool,
    /// Every method call goes unanswered: bluetoothd hangs.
    pub hang: bool,
    /// StartDiscovery fails with "Operation already in progress".
    pub scan_in_progress: bool,
    /// An object that was never connected and is not seen for so long is removed, without an event that btleplug sees.
    pub temporary: Duration,
    /// The adapters together carry so many connections.
    pub limit: usize,
    controllers: BTreeMap<&'static str, Controller>,
    out: Option<UnboundedSender<Message>>,
    later: Vec<(Instant, Later)>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            version: Version::default(),
            straps: BTreeMap::new(),
            calls: Vec::new(),
            most_connecting: 0,
            connected_while_scanning: false,
            hang: false,
            scan_in_progress: false,
            temporary: Duration::from_secs(30),
            limit: usize::MAX,
            controllers: BTreeMap::from([("hci0", Controller::new("00:11:22:33:44:55"))]),
            out: None,
            later: Vec::new(),
        }
    }
}

#[allow(clippy::disallowed_methods)] // a harness lives in real time
fn now() -> Instant {
    Instant::now()
}

impl World {
    pub fn is_scanning(&self) -> bool {
        self.controllers.values().any(|c| c.scanner.is_some())
    }

    pub fn is_powered(&self) -> bool {
        self.controllers.values().all(|c| c.powered)
    }

    fn is_on(&self, address: &str) -> bool {
        let adapter = self.straps.get(address).and_then(|s| self.controllers.get(s.adapter));
        adapter.is_some_and(|c| c.powered)
    }

    fn is_plugged(&self, adapter: &str) -> bool {
        self.controllers.get(adapter).is_some_and(|c| c.plugged)
    }

    // ---- faults ----

    pub fn notify(&mut self, address: &str, bytes: &[u8]) -> bool {
        let Some(strap) = self.straps.get(address) else { return false };
        let path = format!("{}/service180d/char2a37", strap.path());
        self.value_changed(address, 0x2a37, &path, bytes)
    }

    /// The strap tells its battery level by itself.
    pub fn notify_battery(&mut self, address: &str, pct: u8) -> bool {
        let Some(strap) = self.straps.get_mut(address) else { return false };
        strap.battery = pct;
        let path = format!("{}/service180f/char2a19", strap.path());
        self.value_changed(address, 0x2a19, &path, &[pct])
    }

    fn value_changed(&mut self, address: &str, characteristic: u16, path: &str, bytes: &[u8]) -> bool {
        let Some(strap) = self.straps.get(address) else { return false };
        let subscribed = strap.sessions.iter().any(|(c, _)| *c == characteristic);
        let heard = self.out.is_some() && strap.connected && strap.in_range && strap.gatt && subscribed;
        if heard {
            self.changed(path, CHARACTERISTIC1, HashMap::from([("Value", Value::from(bytes.to_vec()))]));
        }
        heard
    }

    /// Somebody's scan sees the strap so many times, each time with another signal strength.
    pub fn flood(&mut self, address: &str, times: usize) {
        let Some(path) = self.straps.get(address).map(Strap::path) else { return };
        for n in 0..times {
            let rssi = Value::from(-60 - (n % 20) as i16);
            self.changed(&path, DEVICE1, HashMap::from([("RSSI", rssi)]));
        }
    }

    /// The link is gone, and nobody is told.
    pub fn lose_link(&mut self, address: &str) {
        if let Some(strap) = self.straps.get_mut(address) {
            strap.connected = false;
        }
    }

    pub fn drop_link(&mut self, address: &str) {
        let Some(strap) = self.straps.get_mut(address) else { return };
        if std::mem::take(&mut strap.connected) {
            let stuck = std::mem::take(&mut strap.stuck);
            for call in stuck {
                self.fail(&call, FAILED, "Operation failed with ATT error: 0x0e");
            }
            self.tell_disconnected(address);
        }
    }

    fn tell_disconnected(&mut self, address: &str) {
        let Some(path) = self.straps.get(address).map(Strap::path) else { return };
        let properties = HashMap::from([("ServicesResolved", Value::from(false)), ("Connected", Value::from(false))]);
        self.changed(&path, DEVICE1, properties);
    }

    /// The straps that are connected.
    pub fn connected(&self) -> Vec<String> {
        self.straps.values().filter(|s| s.connected).map(|s| s.address.clone()).collect()
    }

    /// A new bluetoothd, started by systemd after the old one was killed, tells 2 s later that these are gone (5.82).
    pub fn find_gone(&mut self, straps: Vec<String>) {
        for address in straps {
            self.after(Duration::from_secs(2), Later::FoundGone(address));
        }
    }

    pub fn appear(&mut self, address: &str) {
        let Some(strap) = self.straps.get_mut(address) else { return };
        strap.in_range = true;
        if strap.trying {
            self.after(Duration::from_millis(50), Later::Connected(address.to_owned()));
        }
    }

    /// BlueZ finishes an attempt that nobody waits for any more.
    pub fn connect_by_itself(&mut self, address: &str) {
        let Some(strap) = self.straps.get_mut(address) else { return };
        strap.trying = true;
        strap.object = true;
        self.after(Duration::ZERO, Later::Connected(address.to_owned()));
    }

    /// The object is removed; btleplug has no event for that.
    pub fn remove_object(&mut self, address: &str) {
        let Some(strap) = self.straps.get_mut(address) else { return };
        if std::mem::take(&mut strap.object) {
            strap.known = false;
            strap.gatt = false;
            strap.rssi = None;
            strap.sessions.clear();
            let path = strap.path();
            self.removed(&path, DEVICE1);
        }
    }

    /// BlueZ is connecting to the strap already, for another program; without an end of its own.
    pub fn connect_for_another(&mut self, address: &str) {
        if let Some(strap) = self.straps.get_mut(address) {
            strap.trying = true;
        }
    }

    /// rfkill blocks all radio or lets it be again; that does not switch it on.
    pub fn rfkill(&mut self, block: bool) {
        let all: Vec<&'static str> = self.controllers.keys().copied().collect();
        for adapter in all {
            if block {
                self.power(adapter, false);
            }
            self.controllers.entry(adapter).and_modify(|c| c.blocked = block);
        }
    }

    /// The adapter is off, and nobody has heard of it yet.
    pub fn power_off_unheard(&mut self, adapter: &'static str) {
        let out = self.out.take();
        self.power(adapter, false);
        self.out = out;
    }

    pub fn power(&mut self, adapter: &'static str, on: bool) {
        match self.controllers.get(adapter) {
            Some(c) if c.plugged && c.powered != on => {}
            _ => return,
        }
        if !on {
            self.drop_everything(adapter);
        }
        if let Some(c) = self.controllers.get_mut(adapter) {
            c.powered = on;
        }
        self.changed(&format!("/org/bluez/{adapter}"), ADAPTER1, HashMap::from([("Powered", Value::from(on))]));
    }

    pub fn unplug(&mut self, adapter: &'static str) {
        self.power(adapter, false);
        if let Some(c) = self.controllers.get_mut(adapter) {
            c.plugged = false;
        }
        for strap in self.straps.values_mut().filter(|s| s.adapter == adapter) {
            strap.object = false;
            strap.gatt = false;
            strap.sessions.clear();
        }
        self.removed(&format!("/org/bluez/{adapter}"), ADAPTER1);
    }

    /// Puts an adapter in, a new one or one that was pulled out; it is on.
    pub fn plug(&mut self, adapter: &'static str, address: &'static str) {
        let controller = Controller::new(address);
        self.added(format!("/org/bluez/{adapter}"), ADAPTER1, controller.properties());
        self.controllers.insert(adapter, controller);
        for strap in self.straps.values_mut().filter(|s| s.adapter == adapter) {
            strap.object = strap.known;
        }
    }

    /// The straps are within reach of another adapter now; it never met them.
    pub fn move_straps(&mut self, adapter: &'static str) {
        for strap in self.straps.values_mut() {
            (strap.adapter, strap.object, strap.known, strap.gatt) = (adapter, false, false, false);
            strap.sessions.clear();
        }
    }

    pub fn say_goodbye(&mut self) {
        let all: Vec<&'static str> = self.controllers.keys().copied().collect();
        for adapter in all {
            if self.version == Version::V5_82 {
                // the adapter first, then its straps
                let off = HashMap::from([("Powered", Value::from(false))]);
                self.changed(&format!("/org/bluez/{adapter}"), ADAPTER1, off);
                self.drop_everything(adapter);
            } else {
                self.power(adapter, false);
            }
        }
        self.controllers.values_mut().for_each(|c| c.powered = true);
    }

    pub fn forget_sessions(&mut self) {
        self.controllers.values_mut().for_each(|c| c.scanner = None);
        for strap in self.straps.values_mut() {
            strap.connected = false;
            strap.trying = false;
            strap.waiting = None;
            strap.stuck.clear();
            // 5.82 takes the characteristics away until the next connect
            strap.gatt &= strap.known && self.version == Version::V5_66;
            strap.sessions.clear();
            strap.object = strap.known;
            strap.rssi = None;
        }
    }

    fn drop_everything(&mut self, adapter: &str) {
        let mine = self.straps.values().filter(|s| s.adapter == adapter);
        let all: Vec<String> = mine.map(|s| s.address.clone()).collect();
        for address in all {
            self.drop_link(&address);
            if let Some(strap) = self.straps.get_mut(&address) {
                strap.trying = false;
                if let Some(call) = strap.waiting.take() {
                    self.fail(&call, FAILED, "Input/output error");
                }
            }
        }
        if let Some(c) = self.controllers.get_mut(adapter) {
            c.scanner = None;
        }
    }

    // ---- clockwork ----

    pub fn start(&mut self, out: UnboundedSender<Message>) {
        self.out = Some(out);
    }

    pub fn stopped(&mut self) {
        self.out = None;
        self.later.clear();
    }

    pub fn tick(&mut self) {
        let now = now();
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition(|(at, _)| *at <= now);
        self.later = later;
        for (_, what) in due {
            self.happen(what);
        }
        let all: Vec<String> = self.straps.keys().cloned().collect();
        for address in all {
            self.advertise(&address, now);
        }
    }

    fn advertise(&mut self, address: &str, now: Instant) {
        let temporary = self.temporary;
        let Some(strap) = self.straps.get_mut(address) else { return };
        let scanning = self.controllers.get(strap.adapter).is_some_and(|c| c.scanner.is_some() && c.powered);
        let seen = scanning && strap.in_range && strap.advertising && !strap.connected;
        if !seen {
            let old = strap.advertised.is_some_and(|at| now.duration_since(at) > temporary);
            if strap.object && !strap.known && !strap.connected && !strap.trying && old {
                self.remove_object(address);
            }
            return;
        }
        if strap.advertised.is_some_and(|at| now.duration_since(at) < ADVERTISING_INTERVAL) {
            return;
        }
        strap.advertised = Some(now);
        strap.rssi = Some(if strap.rssi == Some(-60) { -61 } else { -60 });
        let path = strap.path();
        if strap.object {
            let rssi = HashMap::from([("RSSI", Value::from(strap.rssi.unwrap_or_default()))]);
            self.changed(&path, DEVICE1, rssi);
        } else {
            strap.object = true;
            let properties = strap.properties();
            self.added(path, DEVICE1, properties);
        }
    }

    fn happen(&mut self, what: Later) {
        match what {
            Later::Reply(call, value) => {
                self.send(Message::method_return(&call.header()).and_then(|b| b.build(&value)))
            }
            Later::Connected(address) => {
                let Some(strap) = self.straps.get_mut(&address) else { return };
                if !strap.trying || !strap.in_range {
                    return;
                }
                strap.trying = false;
                strap.connected = true;
                strap.connections += 1;
                strap.known = true;
                strap.object = true;
                strap.gatt = true;
                let (path, waiting) = (strap.path(), strap.waiting.take());
                self.changed(&path, DEVICE1, HashMap::from([("Connected", Value::from(true))]));
                self.changed(&path, DEVICE1, HashMap::from([("ServicesResolved", Value::from(true))]));
                if let Some(call) = waiting {
                    self.done(&call);
                }
            }
            Later::Refused(address) => {
                let Some(strap) = self.straps.get_mut(&address) else { return };
                strap.trying = false;
                if let Some(call) = strap.waiting.take() {
                    self.fail(&call, FAILED, "le-connection-abort-by-local");
                    self.remove_object(&address);
                }
            }
            Later::Disconnected(address, call) => {
                self.drop_link(&address);
                self.done(&call);
            }
            Later::FoundGone(address) => {
                if self.straps.get(&address).is_some_and(|s| !s.connected) {
                    self.tell_disconnected(&address);
                }
            }
        }
    }

    fn after(&mut self, wait: Duration, what: Later) {
        self.later.push((now() + wait, what));
    }

    // ---- method calls ----

    pub fn call(&mut self, message: &Message) {
        let header = message.header();
        let (Some(path), Some(member)) = (header.path(), header.member()) else { return };
        let (path, member) = (path.as_str().to_owned(), member.as_str().to_owned());
        if self.hang {
            return;
        }
        if path == "/" {
            return match member.as_str() {
                "GetManagedObjects" => self.managed_objects(message),
                _ => self.unknown(message, &member),
            };
        }
        let plugged = self.controllers.iter().find(|(name, c)| c.plugged && path == format!("/org/bluez/{name}"));
        if let Some(adapter) = plugged.map(|(name, _)| *name) {
            return self.call_adapter(message, &member, adapter);
        }
        let Some((adapter, address, rest)) = split(&path) else { return self.unknown(message, &member) };
        if !matches!(member.as_str(), "Get" | "GetAll" | "Introspect") {
            self.calls.push(format!("{member} {address}"));
        }
        match self.straps.get(&address) {
            Some(strap) if strap.object && strap.adapter == adapter && self.is_plugged(&adapter) => {}
            _ => return self.unknown(message, &member),
        }
        match rest {
            None => self.call_device(message, &member, &address),
            Some((service, characteristic)) => self.call_gatt(message, &member, &address, service, characteristic),
        }
    }

    fn call_adapter(&mut self, message: &Message, member: &str, adapter: &'static str) {
        let sender = message.header().sender().map(ToString::to_string).unwrap_or_default();
        let Some(controller) = self.controllers.get_mut(adapter) else { return };
        match member {
            "GetAll" => {
                let properties = controller.properties();
                self.reply(message, &properties);
            }
            "Set" => {
                if let Ok((_, name, value)) = message.body().deserialize::<(String, String, OwnedValue)>() {
                    self.calls.push(format!("Set {name}"));
                    if let ("Powered", Ok(on)) = (name.as_str(), bool::try_from(value)) {
                        if on && controller.blocked {
                            return self.fail(message, FAILED, "Failed");
                        }
                        self.power(adapter, on);
                    }
                }
                self.done(message);
            }
            "SetDiscoveryFilter" => self.done(message),
            "StartDiscovery" => {
                self.calls.push("StartDiscovery".to_owned());
                if !controller.powered {
                    self.fail(message, "org.bluez.Error.NotReady", "Resource Not Ready");
                } else if controller.scanner.as_deref() == Some(&sender) || self.scan_in_progress {
                    self.fail(message, IN_PROGRESS, "Operation already in progress");
                } else {
                    controller.scanner = Some(sender);
                    self.done(message);
                }
            }
            "StopDiscovery" => {
                self.calls.push("StopDiscovery".to_owned());
                if !controller.powered {
                    self.calls.push("not ready: StopDiscovery".to_owned());
                    self.fail(message, "org.bluez.Error.NotReady", "Resource Not Ready");
                } else if controller.scanner.take().is_none() {
                    self.fail(message, FAILED, "No discovery started");
                } else {
                    for strap in self.straps.values_mut().filter(|s| s.adapter == adapter) {
                        strap.rssi = None;
                    }
                    self.done(message);
                }
            }
            _ => self.unknown(message, member),
        }
    }

    fn call_device(&mut self, message: &Message, member: &str, address: &str) {
        let scanning = self.is_scanning();
        let carried = self.straps.values().filter(|s| s.connected).count();
        let (version, off) = (self.version, !self.is_on(address));
        let Some(strap) = self.straps.get_mut(address) else { return };
        match member {
            "GetAll" => {
                let properties = strap.properties();
                self.reply(message, &properties);
            }
            "Get" => {
                let name = message.body().deserialize::<(String, String)>().map(|(_, name)| name).unwrap_or_default();
                match strap.properties().remove(name.as_str()) {
                    Some(value) => self.reply(message, &value),
                    None => self.fail(message, "org.freedesktop.DBus.Error.InvalidArgs", "No such property"),
                }
            }
            "Introspect" => {
                let services: BTreeSet<u16> =
                    TABLE.iter().filter(|(s, c, _)| strap.has(*s, *c)).map(|(s, _, _)| *s).collect();
                self.introspect(message, services.into_iter().map(|s| format!("service{s:04x}")));
            }
            "Connect" => {
                self.connected_while_scanning |= scanning;
                if strap.connected {
                    return self.done(message);
                }
                if off {
                    return self.fail(message, FAILED, "Input/output error");
                }
                if strap.trying {
                    self.calls.push(format!("in progress: Connect {address}"));
                    return self.fail(message, IN_PROGRESS, version.busy());
                }
                if carried >= self.limit {
                    // the controller answers HCI error 0x09
                    return self.fail(message, FAILED, "le-connection-concurrent-connection-limit");
                }
                strap.trying = true;
                strap.waiting = Some(message.clone());
                let mode = if strap.in_range { strap.connect } else { ConnectMode::Hang };
                match mode {
                    ConnectMode::Accept(wait) => self.after(wait, Later::Connected(address.to_owned())),
                    ConnectMode::Refuse(wait) => self.after(wait, Later::Refused(address.to_owned())),
                    ConnectMode::Hang => {}
                }
                let connecting = self.straps.values().filter(|s| s.trying).count();
                self.most_connecting = self.most_connecting.max(connecting);
            }
            "Disconnect" => {
                if std::mem::take(&mut strap.trying) {
                    if let Some(call) = strap.waiting.take() {
                        self.fail(&call, FAILED, "br-connection-canceled");
                    }
                    self.remove_object(address);
                    return self.done(message);
                }
                if !strap.connected {
                    return self.done(message);
                }
                strap.sessions.clear();
                let wait = strap.disconnect_takes;
                self.after(wait, Later::Disconnected(address.to_owned(), message.clone()));
            }
            _ => self.unknown(message, member),
        }
    }

    fn call_gatt(&mut self, message: &Message, member: &str, address: &str, service: u16, characteristic: Option<u16>) {
        let sender = message.header().sender().map(ToString::to_string).unwrap_or_default();
        let Some(strap) = self.straps.get_mut(address) else { return };
        let Some(characteristic) = characteristic else {
            let found: Vec<u16> =
                TABLE.iter().filter(|(s, c, _)| *s == service && strap.has(*s, *c)).map(|(_, c, _)| *c).collect();
            if found.is_empty() {
                return self.unknown(message, member);
            }
            return match member {
                "Introspect" => self.introspect(message, found.into_iter().map(|c| format!("char{c:04x}"))),
                "Get" => match message.body().deserialize::<(String, String)>() {
                    Ok((_, name)) if name == "UUID" => self.reply(message, &Value::from(uuid(service))),
                    _ => self.reply(message, &Value::from(true)),
                },
                _ => self.unknown(message, member),
            };
        };
        let Some((_, _, flags)) = TABLE.iter().find(|(s, c, _)| (*s, *c) == (service, characteristic)) else {
            return self.unknown(message, member);
        };
        if !strap.has(service, characteristic) {
            return self.unknown(message, member);
        }
        let session = (characteristic, sender);
        match member {
            "GetAll" => {
                let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
                let properties: Properties =
                    HashMap::from([("UUID", Value::from(uuid(characteristic))), ("Flags", Value::from(flags))]);
                self.reply(message, &properties);
            }
            "Introspect" => self.introspect(message, std::iter::empty()),
            "ReadValue" if strap.connected && (!strap.in_range || strap.gone_at_read) => {
                (strap.in_range, strap.gone_at_read) = (false, false);
                self.calls.push(format!("stuck {address}"));
                strap.stuck.push(message.clone());
            }
            "ReadValue" if !strap.connected => self.fail(message, FAILED, "Not connected"),
            "ReadValue" if strap.unreadable => {
                self.calls.push(format!("unreadable {address}"));
                self.fail(message, FAILED, "Operation failed with ATT error: 0x0e");
            }
            "ReadValue" => {
                let (value, wait) = (strap.value(characteristic), strap.read_delay);
                let path = format!("{}/service{service:04x}/char{characteristic:04x}", strap.path());
                // A read shows up among the notifications.
                self.changed(&path, CHARACTERISTIC1, HashMap::from([("Value", Value::from(value.clone()))]));
                if let Some(wait) = wait {
                    self.after(wait, Later::Reply(message.clone(), value));
                }
            }
            "StartNotify" if strap.subscribe_faults > 0 => {
                strap.subscribe_faults -= 1;
                self.fail(message, IN_PROGRESS, "In Progress");
            }
            "StartNotify" if !strap.connected && strap.sessions.contains(&session) => {
                self.fail(message, IN_PROGRESS, "In Progress");
            }
            "StartNotify" if !strap.connected => self.fail(message, FAILED, "Not connected"),
            "StartNotify" => {
                strap.sessions.insert(session);
                self.done(message);
            }
            "StopNotify" => {
                if strap.sessions.remove(&session) {
                    self.done(message);
                } else {
                    self.fail(message, FAILED, "No notify session started");
                }
            }
            _ => self.unknown(message, member),
        }
    }

    fn managed_objects(&mut self, message: &Message) {
        let mut tree: HashMap<ObjectPath<'static>, HashMap<&'static str, Properties>> = HashMap::new();
        for (name, c) in self.controllers.iter().filter(|(_, c)| c.plugged) {
            tree.insert(path(&format!("/org/bluez/{name}")), HashMap::from([(ADAPTER1, c.properties())]));
        }
        for strap in self.straps.values().filter(|s| s.object && self.is_plugged(s.adapter)) {
            tree.insert(path(&strap.path()), HashMap::from([(DEVICE1, strap.properties())]));
        }
        self.reply(message, &tree);
    }

    fn introspect(&mut self, message: &Message, nodes: impl Iterator<Item = String>) {
        let nodes: String = nodes.map(|n| format!("<node name=\"{n}\"/>")).collect();
        self.reply(message, &format!("<node>{nodes}</node>"));
    }

    // ---- messages ----

    fn send(&mut self, message: zbus::Result<Message>) {
        let message = message.expect("a well-formed message");
        if let Some(out) = &self.out {
            let _ = out.send(message);
        }
    }

    fn reply<B: zbus::export::serde::Serialize + zbus::zvariant::DynamicType>(&mut self, call: &Message, body: &B) {
        self.send(Message::method_return(&call.header()).and_then(|b| b.build(body)));
    }

    fn done(&mut self, call: &Message) {
        self.reply(call, &());
    }

    fn fail(&mut self, call: &Message, name: &'static str, text: &str) {
        self.send(Message::error(&call.header(), name).and_then(|b| b.build(&text)));
    }

    fn unknown(&mut self, call: &Message, member: &str) {
        let interface = call.header().interface().map(ToString::to_string).unwrap_or_default();
        let text = format!("Method \"{member}\" with signature \"\" on interface \"{interface}\" doesn't exist\n");
        self.fail(call, "org.freedesktop.DBus.Error.UnknownObject", &text);
    }

    fn changed(&mut self, path: &str, interface: &str, properties: Properties) {
        let gone: Vec<&str> = Vec::new();
        self.send(
            Message::signal(path, PROPERTIES, "PropertiesChanged")
                .and_then(|b| b.build(&(interface, properties, gone))),
        );
    }

    fn added(&mut self, object: String, interface: &'static str, properties: Properties) {
        let body = (path(&object), HashMap::from([(interface, properties)]));
        self.send(
            Message::signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesAdded").and_then(|b| b.build(&body)),
        );
    }

    fn removed(&mut self, object: &str, interface: &str) {
        let body = (path(object), vec![interface]);
        self.send(
            Message::signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved")
                .and_then(|b| b.build(&body)),
        );
    }
}

fn path(text: &str) -> ObjectPath<'static> {
    ObjectPath::try_from(text.to_owned()).expect("a valid path")
}

type Gatt = Option<(u16, Option<u16>)>;

/// `/org/bluez/hci0/dev_XX.../service180d/char2a37` taken apart.
fn split(path: &str) -> Option<(String, String, Gatt)> {
    let (adapter, device) = path.strip_prefix("/org/bluez/")?.split_once("/dev_")?;
    let mut parts = device.split('/');
    let address = parts.next()?.replace('_', ":");
    let number = |part: &str, prefix: &str| u16::from_str_radix(part.strip_prefix(prefix)?, 16).ok();
    let gatt = match (parts.next(), parts.next()) {
        (None, _) => None,
        (Some(s), None) => Some((number(s, "service")?, None)),
        (Some(s), Some(c)) => Some((number(s, "service")?, Some(number(c, "char")?))),
    };
    Some((adapter.to_owned(), address, gatt))
}
