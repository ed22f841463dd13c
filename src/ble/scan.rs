//! Looking around, for the command line: which straps are here, and is Bluetooth usable at all.

use super::bluez::Session;
use super::call::{AdapterInfo, Answer, Failure};
use super::outlet::Sink;
use crate::clock::Clock;
use crate::units::StrapId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Time for one call while looking around.
const LIMIT: Duration = Duration::from_secs(8);

/// A device seen advertising, or connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Address.
    pub strap: StrapId,
    /// Advertised name.
    pub name: Option<String>,
    /// Signal strength, dBm; `None` if it is known but not in reach now.
    pub rssi: Option<i16>,
    /// Advertises the Heart Rate Service (0x180D).
    pub heart_rate: bool,
    /// Battery level, %, if advertised.
    pub battery_pct: Option<u8>,
    /// Connected to this machine; such a strap does not advertise.
    pub connected: bool,
}

/// What a scan looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanOptions {
    /// Which adapter: name or address; `None` takes the first that is on.
    pub adapter: Option<String>,
    /// Report every device, not only heart-rate straps.
    pub all: bool,
    /// Switch the adapter on if it is off.
    pub power_on: bool,
    /// How long.
    pub duration: Duration,
}

/// Why a scan cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// No adapter, or not the one asked for.
    #[error("no such Bluetooth adapter")]
    NoAdapter,
    /// The adapter is off and may not be switched on.
    #[error("the Bluetooth adapter is off")]
    AdapterOff,
    /// The system refused.
    #[error("Bluetooth does not answer: {0}")]
    Failed(#[from] Failure),
}

/// Scans; each sighting is sent as it comes, the same device many times. The channel closes at the end.
pub async fn scan(options: ScanOptions, clock: Clock) -> Result<mpsc::Receiver<Advert>, ScanError> {
    let session = Arc::new(Session::open().await?);
    let (tx, rx) = mpsc::channel(64);
    let sink = Sink {
        events: None,
        out: None,
        sightings: Some(tx.clone()),
        clock,
        wanted: Arc::default(),
        full: Arc::default(),
    };
    let found = limited(session.find_adapter(options.adapter.as_deref(), &sink)).await;
    let started = match found {
        Ok(Answer::Adapter(info)) if info.powered || options.power_on => {
            match limited(session.start_scan(!options.all)).await {
                Ok(()) | Err(Failure::InProgress) => Ok(()),
                Err(e) => Err(ScanError::Failed(e)),
            }
        }
        Ok(Answer::Adapter(_)) => Err(ScanError::AdapterOff),
        Ok(Answer::NoAdapter | Answer::Done) => Err(ScanError::NoAdapter),
        Err(e) => Err(ScanError::Failed(e)),
    };
    if let Err(e) = started {
        session.close();
        return Err(e);
    }
    tokio::spawn(async move {
        for advert in session.known().await.unwrap_or_default() {
            if advert.connected && (options.all || advert.heart_rate) {
                let _ = tx.send(advert).await;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(options.duration) => {}
            () = tx.closed() => {}
        }
        let _ = limited(session.stop_scan()).await;
        session.close();
    });
    Ok(rx)
}

/// The state of Bluetooth on this machine, layer by layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whether the system bus could be reached.
    pub bus: Result<(), Failure>,
    /// The adapters that bluetoothd has, or why it did not say. Asking starts a stopped bluetoothd.
    pub adapters: Result<Vec<AdapterInfo>, Failure>,
}

/// Looks at each layer without changing anything.
pub async fn probe() -> Probe {
    match Session::open().await {
        Err(e) => Probe { bus: Err(e), adapters: Err(e) },
        Ok(session) => Probe { bus: Ok(()), adapters: limited(session.adapters()).await },
    }
}

async fn limited<T>(call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(LIMIT, call).await.unwrap_or(Err(Failure::Timeout))
}
