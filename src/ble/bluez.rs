//! BlueZ by way of btleplug; the only file that names it.
//!
//! What shapes this code, found by running btleplug 0.13 against BlueZ 5.66 and 5.82:
//! - A notification stream never ends and never fails. Nothing here waits for its end.
//! - Dropping any stream removes the *youngest* PropertiesChanged rule of the bus connection, whatever its path, so it
//!   can silence another strap. An adapter's event stream that was opened before covers them all: it is opened first,
//!   and one connection serves one adapter only.
//! - A stream revives when its strap reconnects. A second one would deliver every beat twice. So each strap has one
//!   `Peripheral` and one stream for as long as the bus connection lives.
//! - Reads come out of notification streams too: filter by UUID.
//! - `Error::Other` hides the D-Bus error; its name shows only in the Debug text.
//! - `adapter_state()` swallows errors (<https://github.com/deviceplug/btleplug/blob/v0.13.5/src/bluez/adapter.rs>):
//!   another call has to tell whether anybody is there.

use super::arbiter::Event;
use super::call::{AdapterInfo, Answer, Failure};
use super::outlet::{Outlet, Sink};
use super::scan::Advert;
use crate::engine::{Input, PacketBytes, StrapFacts};
use crate::units::StrapId;
use btleplug::api::{
    BDAddr, Central, CentralEvent, CentralState, CharPropFlags, Characteristic, Manager as _, Peripheral as _,
    ScanFilter,
};
use btleplug::platform::{Adapter, Manager, Peripheral, PeripheralId};
use futures_util::{Stream, StreamExt};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;
use tracing::{debug, warn};
use uuid::Uuid;

const fn uuid16(short: u16) -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_1000_8000_0080_5f9b_34fb | ((short as u128) << 96))
}

const HEART_RATE: Uuid = uuid16(0x180d);
const BATTERY: Uuid = uuid16(0x180f);
const MEASUREMENT: Uuid = uuid16(0x2a37);
const LOCATION: Uuid = uuid16(0x2a38);
const BATTERY_LEVEL: Uuid = uuid16(0x2a19);

/// Time for a call that involves only bluetoothd, not the radio.
const PROPERTY: Duration = Duration::from_secs(2);
/// Time for one exchange with the strap.
const EXCHANGE: Duration = Duration::from_secs(5);
/// Time for service discovery, which is some forty calls in a row.
const DISCOVERY: Duration = Duration::from_secs(10);
/// Time for unsubscribing before a disconnect, which itself takes up to 2.6 s of the 5 s that all may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Time to reach the bus.
const NEW_MANAGER: Duration = Duration::from_secs(6);

type EventStream = Pin<Box<dyn Stream<Item = CentralEvent> + Send>>;

/// One connection to the bus and what hangs on it. Must be dropped inside the runtime: btleplug's streams spawn.
#[derive(Debug)]
pub(super) struct Session {
    manager: Manager,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    adapter: Option<(Adapter, String)>,
    events: Option<AbortHandle>,
    ids: BTreeMap<StrapId, PeripheralId>,
    straps: HashMap<StrapId, Entry>,
}

#[derive(Debug)]
struct Entry {
    peripheral: Peripheral,
    stream: Option<AbortHandle>,
}

impl Session {
    /// Opens a new connection to the bus.
    pub(super) async fn open() -> Result<Self, Failure> {
        // libdbus connects and says hello synchronously; a bus that hangs must not hang us.
        let runtime = tokio::runtime::Handle::current();
        let opening = tokio::task::spawn_blocking(move || runtime.block_on(Manager::new()));
        let manager = match tokio::time::timeout(NEW_MANAGER, opening).await {
            Ok(Ok(Ok(manager))) => manager,
            Ok(Ok(Err(e))) => return Err(failure(&e)),
            Ok(Err(_)) => return Err(Failure::Other),
            Err(_) => return Err(Failure::Timeout),
        };
        Ok(Self { manager, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn adapter(&self) -> Result<Adapter, Failure> {
        self.state().adapter.as_ref().map(|(adapter, _)| adapter.clone()).ok_or(Failure::Gone)
    }

    /// All adapters, by name.
    pub(super) async fn adapters(&self) -> Result<Vec<AdapterInfo>, Failure> {
        Ok(self.list().await?.into_iter().map(|(_, info)| info).collect())
    }

    async fn list(&self) -> Result<Vec<(Adapter, AdapterInfo)>, Failure> {
        let mut all = Vec::new();
        for adapter in self.manager.adapters().await.map_err(|e| failure(&e))? {
            // One that vanishes between the two calls is simply not there.
            match describe(&adapter).await {
                Ok(info) => all.push((adapter, info)),
                Err(Failure::Gone) => {}
                Err(e) => return Err(e),
            }
        }
        all.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Takes the adapter called `want` (name or address), or else the first that is on, or else the first.
    pub(super) async fn find_adapter(self: &Arc<Self>, want: Option<&str>, sink: &Sink) -> Result<Answer, Failure> {
        let all = self.list().await?;
        let Some((adapter, info)) = choose(all, want) else {
            return Ok(Answer::NoAdapter);
        };
        let before = self.state().adapter.as_ref().map(|(_, name)| name.clone());
        if before.is_some_and(|name| name != info.name) {
            return Err(Failure::Stale);
        }
        let listening = self.state().events.is_some();
        if !listening {
            let events = within(PROPERTY, adapter.events()).await?;
            let pump = tokio::spawn(pump_events(self.clone(), adapter.clone(), events, sink.clone()));
            self.state().events = Some(pump.abort_handle());
        }
        self.state().adapter = Some((adapter, info.name.clone()));
        Ok(Answer::Adapter(info))
    }

    /// Asks the adapter at hand.
    pub(super) async fn check_adapter(&self) -> Result<Answer, Failure> {
        describe(&self.adapter()?).await.map(Answer::Adapter)
    }

    pub(super) async fn start_scan(&self, heart_rate_only: bool) -> Result<(), Failure> {
        let services = if heart_rate_only { vec![HEART_RATE] } else { Vec::new() };
        self.adapter()?.start_scan(ScanFilter { services }).await.map_err(|e| failure(&e))
    }

    pub(super) async fn stop_scan(&self) -> Result<(), Failure> {
        self.adapter()?.stop_scan().await.map_err(|e| failure(&e))
    }

    /// The one handle for a strap; its stream decodes by the services that this very handle discovered.
    async fn peripheral(&self, strap: StrapId) -> Result<Peripheral, Failure> {
        let known = self.state().straps.get(&strap).map(|e| e.peripheral.clone());
        if let Some(peripheral) = known {
            return Ok(peripheral);
        }
        let adapter = self.adapter()?;
        let id = self.state().ids.get(&strap).cloned();
        let peripheral = match id {
            Some(id) => within(PROPERTY, adapter.peripheral(&id)).await?,
            None => within(PROPERTY, adapter.peripherals())
                .await?
                .into_iter()
                .find(|p| strap_of(p.address()) == strap)
                .ok_or(Failure::Gone)?,
        };
        let entry = Entry { peripheral, stream: None };
        Ok(self.state().straps.entry(strap).or_insert(entry).peripheral.clone())
    }

    pub(super) async fn connect(&self, strap: StrapId) -> Result<(), Failure> {
        self.peripheral(strap).await?.connect().await.map_err(|e| failure(&e))
    }

    pub(super) async fn disconnect(&self, strap: StrapId) -> Result<(), Failure> {
        let peripheral = self.peripheral(strap).await?;
        if let Some(measurement) = characteristic(&peripheral, HEART_RATE, MEASUREMENT) {
            // Some straps take an end without this for an accident and start recording into their memory.
            let _ = within(FAREWELL, peripheral.unsubscribe(&measurement)).await;
        }
        peripheral.disconnect().await.map_err(|e| failure(&e))
    }

    pub(super) async fn check_connected(&self, strap: StrapId) -> Result<(), Failure> {
        match self.peripheral(strap).await?.is_connected().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::NotConnected),
            Err(e) => Err(failure(&e)),
        }
    }

    pub(super) async fn setup(&self, strap: StrapId, reopen: bool, sink: &Sink) -> Result<(), Failure> {
        let peripheral = self.peripheral(strap).await?;
        within(DISCOVERY, peripheral.discover_services()).await?;
        // A device whose D-Bus object is gone "has" no services, without an error.
        let measurement = characteristic(&peripheral, HEART_RATE, MEASUREMENT).ok_or(Failure::NoHeartRate)?;
        if reopen {
            self.close_stream(strap);
        }
        let has_stream = self.state().straps.get(&strap).is_some_and(|e| e.stream.is_some());
        if !has_stream {
            let stream = within(PROPERTY, peripheral.notifications()).await?;
            let pump = tokio::spawn(pump_values(strap, stream, sink.clone())).abort_handle();
            match self.state().straps.get_mut(&strap) {
                Some(entry) => entry.stream = Some(pump),
                None => pump.abort(),
            }
        }
        within(EXCHANGE, peripheral.subscribe(&measurement)).await?;
        if let Ok(Some(p)) = within(PROPERTY, peripheral.properties()).await {
            let facts = StrapFacts { name: p.advertisement_name, ..StrapFacts::default() };
            sink.facts(strap, facts).await;
        }
        Ok(())
    }

    pub(super) async fn resubscribe(&self, strap: StrapId) -> Result<(), Failure> {
        let peripheral = self.peripheral(strap).await?;
        let measurement = characteristic(&peripheral, HEART_RATE, MEASUREMENT).ok_or(Failure::NoHeartRate)?;
        let _ = within(PROPERTY, peripheral.unsubscribe(&measurement)).await;
        within(EXCHANGE, peripheral.subscribe(&measurement)).await
    }

    /// Reads what the strap tells about itself. Every part is optional, and so is an answer.
    pub(super) async fn read_facts(&self, strap: StrapId, sink: &Sink) -> Result<(), Failure> {
        let peripheral = self.peripheral(strap).await?;
        let all = peripheral.characteristics();
        let mut facts = StrapFacts::default();
        let wanted = all.iter().filter(|c| c.properties.contains(CharPropFlags::READ));
        for c in wanted.filter(|c| c.uuid == BATTERY_LEVEL || c.uuid == LOCATION || device_info(&c.uuid).is_some()) {
            match within(EXCHANGE, peripheral.read(c)).await {
                Ok(value) if c.uuid == BATTERY_LEVEL => facts.battery_pct = battery(&value),
                Ok(value) if c.uuid == LOCATION => facts.location = value.first().copied(),
                Ok(value) => {
                    if let Some(field) = device_info(&c.uuid) {
                        *field(&mut facts) = text(&value);
                    }
                }
                // The link is gone or stuck: the remaining reads would only hang as well.
                Err(e @ (Failure::Timeout | Failure::NotConnected | Failure::Gone | Failure::BusLost)) => {
                    sink.facts(strap, facts).await;
                    return Err(e);
                }
                Err(e) => debug!(%strap, uuid = %c.uuid, %e, "not readable"),
            }
        }
        sink.facts(strap, facts).await;
        let level = all.iter().find(|c| c.uuid == BATTERY_LEVEL && c.properties.contains(CharPropFlags::NOTIFY));
        if let Some(level) = level {
            // BlueZ's own battery plugin may hold the subscription; then the value still arrives.
            let _ = within(EXCHANGE, peripheral.subscribe(level)).await;
        }
        Ok(())
    }

    fn close_stream(&self, strap: StrapId) {
        let stream = self.state().straps.get_mut(&strap).and_then(|e| e.stream.take());
        if let Some(stream) = stream {
            stream.abort();
        }
    }

    /// Lets a strap's stream and handle go.
    pub(super) fn forget(&self, strap: StrapId) {
        self.close_stream(strap);
        self.state().straps.remove(&strap);
    }

    /// Ends all pumps; they hold this session alive otherwise.
    pub(super) fn close(&self) {
        let mut state = self.state();
        let pumps = state.straps.drain().filter_map(|(_, e)| e.stream).collect::<Vec<_>>();
        for pump in pumps.into_iter().chain(state.events.take()) {
            pump.abort();
        }
        state.adapter = None;
    }

    /// What BlueZ knows about a device right now.
    pub(super) async fn advert(&self, id: &PeripheralId) -> Option<Advert> {
        let peripheral = within(PROPERTY, self.adapter().ok()?.peripheral(id)).await.ok()?;
        advert_of(&peripheral).await
    }

    /// Every device that BlueZ knows on this adapter.
    pub(super) async fn known(&self) -> Result<Vec<Advert>, Failure> {
        let mut all = Vec::new();
        for peripheral in within(PROPERTY, self.adapter()?.peripherals()).await? {
            all.extend(advert_of(&peripheral).await);
        }
        Ok(all)
    }
}

async fn advert_of(peripheral: &Peripheral) -> Option<Advert> {
    let p = within(PROPERTY, peripheral.properties()).await.ok()??;
    let connected = within(PROPERTY, peripheral.is_connected()).await.ok()?;
    Some(Advert {
        strap: strap_of(p.address),
        name: p.advertisement_name.or(p.local_name),
        rssi: p.rssi,
        heart_rate: p.services.contains(&HEART_RATE),
        battery_pct: p.service_data.get(&BATTERY).and_then(|v| battery(v)),
        connected,
    })
}

/// Forwards what the adapter tells about wanted straps; everything else is dropped here, early.
async fn pump_events(session: Arc<Session>, adapter: Adapter, mut events: EventStream, sink: Sink) {
    while let Some(event) = events.next().await {
        match event {
            CentralEvent::StateUpdate(state) => sink.event(Event::Powered(state == CentralState::PoweredOn)),
            CentralEvent::DeviceConnected(id) => {
                if let Some(strap) = wanted(&session, &sink, id) {
                    sink.event(Event::Connected(strap));
                }
            }
            CentralEvent::DeviceDisconnected(id) => {
                if let Some(strap) = wanted(&session, &sink, id) {
                    sink.event(Event::Disconnected(strap));
                }
            }
            CentralEvent::RssiUpdate { id, rssi } => match wanted(&session, &sink, id.clone()) {
                Some(strap) => sink.event(Event::Advert { strap, rssi }),
                None => sighting(&session, &sink, &id).await,
            },
            // Sent for everything that BlueZ remembers, present or not: only a signal strength proves presence.
            CentralEvent::DeviceDiscovered(id) => match wanted(&session, &sink, id.clone()) {
                Some(strap) => {
                    let (adapter, sink) = (adapter.clone(), sink.clone());
                    tokio::spawn(async move {
                        if let Some(rssi) = rssi(&adapter, &id).await {
                            sink.event(Event::Advert { strap, rssi });
                        }
                    });
                }
                None => sighting(&session, &sink, &id).await,
            },
            _ => {}
        }
    }
    warn!("the adapter's event stream ended");
}

/// Reports a device to whoever only looks around.
async fn sighting(session: &Session, sink: &Sink, id: &PeripheralId) {
    if let Some(sightings) = &sink.sightings {
        if let Some(advert) = session.advert(id).await.filter(|a| a.rssi.is_some()) {
            let _ = sightings.send(advert).await;
        }
    }
}

fn wanted(session: &Session, sink: &Sink, id: PeripheralId) -> Option<StrapId> {
    let strap = strap_in(&id)?;
    if !sink.wants(strap) {
        return None;
    }
    session.state().ids.insert(strap, id);
    Some(strap)
}

async fn rssi(adapter: &Adapter, id: &PeripheralId) -> Option<i16> {
    let peripheral = within(PROPERTY, adapter.peripheral(id)).await.ok()?;
    within(PROPERTY, peripheral.properties()).await.ok()??.rssi
}

/// Forwards each heart rate notification with the moment of its arrival, at once.
async fn pump_values(
    strap: StrapId,
    mut values: Pin<Box<dyn Stream<Item = btleplug::api::ValueNotification> + Send>>,
    sink: Sink,
) {
    let mut outlet = Outlet::new(sink.clone());
    loop {
        let value = tokio::select! {
            biased;
            value = values.next() => value,
            () = outlet.drain_one() => continue,
        };
        let Some(value) = value else { break };
        if value.uuid == MEASUREMENT {
            outlet.push(Input::Packet { strap, bytes: PacketBytes::from_slice(&value.value) });
            sink.event(Event::Frame(strap));
        } else if let (true, Some(pct)) = (value.uuid == BATTERY_LEVEL, battery(&value.value)) {
            let facts = StrapFacts { battery_pct: Some(pct), ..StrapFacts::default() };
            outlet.push(Input::Facts { strap, facts });
        }
    }
    warn!(%strap, "the notification stream ended");
}

async fn describe(adapter: &Adapter) -> Result<AdapterInfo, Failure> {
    let info = within(PROPERTY, adapter.adapter_info()).await?;
    let address = within(PROPERTY, adapter.adapter_address()).await?;
    let state = within(PROPERTY, adapter.adapter_state()).await?;
    Ok(AdapterInfo {
        // "hci0 (usb:v1D6Bp0246d0552)"
        name: info.split(' ').next().unwrap_or(&info).to_owned(),
        address: address.map(strap_of),
        powered: state == CentralState::PoweredOn,
    })
}

fn choose(mut all: Vec<(Adapter, AdapterInfo)>, want: Option<&str>) -> Option<(Adapter, AdapterInfo)> {
    let index = match want {
        Some(want) => {
            let address = want.parse::<StrapId>().ok();
            all.iter().position(|(_, i)| i.name == want || (address.is_some() && i.address == address))
        }
        None => all.iter().position(|(_, i)| i.powered).or((!all.is_empty()).then_some(0)),
    };
    index.map(|i| all.swap_remove(i))
}

fn characteristic(peripheral: &Peripheral, service: Uuid, uuid: Uuid) -> Option<Characteristic> {
    let services = peripheral.services();
    let found = services.iter().find(|s| s.uuid == service)?;
    found.characteristics.iter().find(|c| c.uuid == uuid).cloned()
}

type Field = fn(&mut StrapFacts) -> &mut Option<String>;

fn device_info(uuid: &Uuid) -> Option<Field> {
    const FIELDS: [(Uuid, Field); 6] = [
        (uuid16(0x2a29), |f| &mut f.manufacturer),
        (uuid16(0x2a24), |f| &mut f.model),
        (uuid16(0x2a25), |f| &mut f.serial),
        (uuid16(0x2a26), |f| &mut f.firmware),
        (uuid16(0x2a27), |f| &mut f.hardware),
        (uuid16(0x2a28), |f| &mut f.software),
    ];
    FIELDS.iter().find(|(u, _)| u == uuid).map(|(_, field)| *field)
}

fn battery(value: &[u8]) -> Option<u8> {
    value.first().copied().filter(|pct| *pct <= 100)
}

fn text(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!text.is_empty()).then(|| text.to_owned())
}

fn strap_of(address: BDAddr) -> StrapId {
    StrapId(address.into_inner())
}

/// The address in `hci0/dev_A0_9E_1A_9F_6E_53`; asking BlueZ instead would cost a round trip for every advertisement.
fn strap_in(id: &PeripheralId) -> Option<StrapId> {
    let id = id.to_string();
    id.rsplit_once("dev_")?.1.replace('_', ":").parse().ok()
}

async fn within<T>(limit: Duration, call: impl Future<Output = btleplug::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result.map_err(|e| failure(&e)),
        Err(_) => Err(Failure::Timeout),
    }
}

fn failure(error: &btleplug::Error) -> Failure {
    let kind = match error {
        btleplug::Error::NotConnected => Failure::NotConnected,
        btleplug::Error::DeviceNotFound => Failure::Gone,
        btleplug::Error::PermissionDenied => Failure::Denied,
        btleplug::Error::TimedOut(_) => Failure::Timeout,
        other => Failure::from_dbus_text(&format!("{other:?}")),
    };
    debug!(?error, ?kind, "call failed");
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_strap_are_cleaned() {
        assert_eq!(text(b"Polar\0"), Some("Polar".to_owned()));
        assert_eq!(text(b" \0"), None);
        assert_eq!(text(b"\xff\xfe"), Some("\u{fffd}\u{fffd}".to_owned()));
        assert_eq!(battery(&[90]), Some(90));
        assert_eq!(battery(&[255]), None);
        assert_eq!(battery(&[]), None);
    }
}
