//! A private D-Bus daemon with a fake `org.bluez` on it, for tests that drive the real btleplug code without a radio.
//!
//! The fake does what was seen of BlueZ 5.66 and 5.82: a notify session outlives its connection; a connect to a strap
//! that is out of reach hangs and goes on in the background; objects vanish without an event; a read shows up among the
//! notifications. Each fault is a method of [`FakeBluez`].
//!
//! The address of the system bus is an environment variable, read once per process. So the code under test has to run
//! in a child process that gets [`FakeBluez::address`] as `DBUS_SYSTEM_BUS_ADDRESS`.

mod beater;
mod bus;
mod server;
mod world;

pub use beater::Beater;
#[allow(unused_imports)] // not every test needs all of it
pub use world::{ConnectMode, Strap, Version};

use bus::Bus;
use server::Server;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use world::World;

/// A running fake. Dropping it ends the bus.
pub struct FakeBluez {
    bus: Bus,
    world: Arc<Mutex<World>>,
    server: Option<Server>,
}

impl FakeBluez {
    /// A bus, a bluetoothd and one adapter `hci0`, switched on.
    pub fn start() -> Self {
        let bus = Bus::start();
        let world = Arc::new(Mutex::new(World::default()));
        let server = Some(Server::start(&bus.address(), world.clone()));
        Self { bus, world, server }
    }

    /// The same with the ways of that BlueZ.
    pub fn start_as(version: Version) -> Self {
        let fake = Self::start();
        fake.with(|w| w.version = version);
        fake
    }

    /// How many match rules the bus keeps for all its clients, if it tells.
    pub fn match_rules(&self) -> Option<u32> {
        self.bus.match_rules()
    }

    /// For `DBUS_SYSTEM_BUS_ADDRESS`.
    pub fn address(&self) -> String {
        self.bus.address()
    }

    /// Looks at or changes the world.
    pub fn with<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        f(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a heart-rate strap with battery, sensor location and device information, in reach and advertising.
    pub fn add_strap(&self, address: &str, name: &str) {
        self.with(|w| w.straps.insert(address.to_owned(), Strap::new(address, name)));
    }

    /// Changes a strap's script.
    pub fn strap<R>(&self, address: &str, f: impl FnOnce(&mut Strap) -> R) -> R {
        self.with(|w| f(w.straps.get_mut(address).unwrap_or_else(|| panic!("no strap {address}"))))
    }

    /// The strap sends a 0x2A37 notification. Whether anybody was subscribed.
    pub fn notify(&self, address: &str, bytes: &[u8]) -> bool {
        self.with(|w| w.notify(address, bytes))
    }

    /// The strap sends numbered notifications from now on, whenever somebody is subscribed.
    pub fn beat(&self, address: &str, period: Duration) -> Beater {
        Beater::start(self.world.clone(), address, period)
    }

    /// The strap ends the connection and advertises again.
    pub fn disconnect(&self, address: &str) {
        self.with(|w| w.drop_link(address));
    }

    /// The strap goes out of reach; its link ends at the supervision timeout.
    pub fn vanish(&self, address: &str, supervision: Duration) {
        self.strap(address, |s| s.in_range = false);
        std::thread::sleep(supervision);
        self.disconnect(address);
    }

    /// The strap is in reach again; an attempt that BlueZ was still making succeeds by itself.
    pub fn appear(&self, address: &str) {
        self.with(|w| w.appear(address));
    }

    /// Switches the adapter on or off, as an administrator would.
    pub fn power(&self, on: bool) {
        self.with(|w| w.power("hci0", on));
    }

    /// Pulls the adapter out.
    pub fn unplug(&self) {
        self.with(|w| w.unplug("hci0"));
    }

    /// Puts it back, switched on.
    pub fn replug(&self) {
        self.with(|w| w.plug("hci0", "00:11:22:33:44:55"));
    }

    /// `systemctl stop bluetooth`: says goodbye, then leaves the bus.
    pub fn stop_bluetoothd(&mut self) {
        self.with(World::say_goodbye);
        // The farewell must be on the wire before the connection is closed.
        std::thread::sleep(Duration::from_millis(100));
        self.kill_bluetoothd();
    }

    /// From now on a call to a bluetoothd that does not run asks for its start (D-Bus activation).
    pub fn activatable(&self) {
        self.bus.activate_bluez();
    }

    /// Whether somebody asked for it.
    pub fn was_asked_for(&self) -> bool {
        self.bus.was_bluez_asked_for()
    }

    /// `kill -9`: leaves the bus without a word.
    pub fn kill_bluetoothd(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
        self.with(World::forget_sessions);
    }

    /// `kill -9` as Debian 13 takes it: systemd starts it again, and it tells of the lost links 2 s late.
    pub fn kill_bluetoothd_under_systemd(&mut self) {
        let had = self.with(|w| w.connected());
        self.start_bluetoothd();
        self.with(|w| w.find_gone(had));
    }

    /// Starts bluetoothd again.
    pub fn start_bluetoothd(&mut self) {
        self.kill_bluetoothd();
        self.server = Some(Server::start(&self.bus.address(), self.world.clone()));
    }

    /// Ends the bus, and with it every connection to it.
    pub fn kill_bus(&mut self) {
        self.with(World::stopped);
        // What was sent before must get through.
        std::thread::sleep(Duration::from_millis(200));
        self.bus.kill();
        self.kill_bluetoothd();
    }

    /// A new bus at the same address, with a new bluetoothd.
    pub fn restart_bus(&mut self) {
        self.kill_bus();
        self.bus.restart();
        self.start_bluetoothd();
    }

    /// The methods that were called so far, as `Member address`.
    pub fn calls(&self) -> Vec<String> {
        self.with(|w| w.calls.clone())
    }

    /// How often a method was called.
    pub fn count(&self, call: &str) -> usize {
        self.with(|w| w.calls.iter().filter(|c| *c == call).count())
    }
}
