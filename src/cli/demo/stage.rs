//! What happens in the demo: a strap is put on, a check is asked for, everything said is shown.

use super::DemoArgs;
use crate::check::{CheckConfig, Posture};
use crate::cli::guide::{Guide, Look};
use crate::clock::{Clock, ClockTrust};
use crate::control::Op;
use crate::daemon::{self, Configured, Radio, ReadinessSettings, Settings};
use crate::engine::{Athlete, Input, LinkState, Roster, Strap, StrapFacts};
use crate::mqtt::{self, MqttConfig, RenderOptions};
use crate::readiness::DEFAULT_WAIT;
use crate::sim::StrapSim;
use crate::units::{AthleteId, Now, RrTicks, StrapId};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A locally administered address: no strap has it.
const STRAP: StrapId = StrapId([0x02, 0x00, 0x00, 0x00, 0xde, 0x30]);

/// Everything the play needs.
pub(super) struct Stage {
    pub(super) args: DemoArgs,
    pub(super) look: Look,
    pub(super) json: bool,
    pub(super) rr: Vec<RrTicks>,
    pub(super) broker: SocketAddr,
    pub(super) dir: PathBuf,
}

type Failed = Box<dyn std::error::Error>;

impl Stage {
    /// Plays until the check is over (or, with `--keep`, until cancelled); returns the result's JSON.
    pub(super) async fn play(self, cancel: CancellationToken) -> Result<Option<Value>, Failed> {
        let clock = Clock::system(ClockTrust::Plausible).scaled(self.args.speed);
        let alex: AthleteId = "alex".parse()?;
        let settings = self.settings(&alex);
        let socket = settings.control_socket.clone();
        let mqtt = settings.mqtt.clone().unwrap_or_default();
        let mut guide = Guide::new(self.look);
        guide.say(&format!(
            "Broker at {}. The strap plays a recorded rest, {} times as fast as life.\n",
            self.broker, self.args.speed
        ));
        let mut seen = mqtt::follow(&mqtt, vec!["#".into()]).await?;

        let (tx, rx) = mpsc::channel(64);
        let daemon_stop = CancellationToken::new();
        let daemon = daemon::run(settings, Radio::Given(rx), clock.clone(), "demo".into(), daemon_stop.clone());
        tokio::pin!(daemon);
        let strap = tokio::spawn(strap(tx, clock.clone(), self.rr.clone()));

        let mut result = None;
        let mut lines = None;
        // the check begins when the broker has us, so that its first event is seen too
        let mut online = false;
        let mut done_at: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                ended = &mut daemon => {
                    ended?;
                    break;
                }
                // once: a branch that is always ready would starve every other task of this thread
                () = cancel.cancelled(), if !daemon_stop.is_cancelled() => daemon_stop.cancel(),
                // the last messages of the check are still on their way
                () = wait(done_at), if !daemon_stop.is_cancelled() => {
                    if self.args.keep {
                        self.invite(&guide);
                        done_at = None;
                    } else {
                        daemon_stop.cancel();
                    }
                }
                Some(message) = seen.recv() => {
                    online |= message.topic.ends_with("/demo/status") && message.payload == b"online";
                    self.show(&guide, &message);
                }
                opened = open(&socket), if online && lines.is_none() => lines = Some(opened?),
                line = next(&mut lines) => {
                    let v: Value = serde_json::from_str(&line?)?;
                    if self.json {
                        // nobody reading is no reason to stop: --keep may serve others
                        let _ = writeln!(std::io::stdout(), "{v}");
                    }
                    guide.see(&v);
                    if v["type"] == "check_result" {
                        result = Some(v);
                        done_at = Some(tokio::time::Instant::now() + Duration::from_millis(700));
                    } else if v["type"] == "check" && v["phase"] == "aborted" {
                        done_at = Some(tokio::time::Instant::now() + Duration::from_millis(200));
                    }
                }
            }
        }
        strap.abort();
        Ok(result)
    }

    fn settings(&self, alex: &AthleteId) -> Settings {
        let live_interval = Duration::from_secs(5);
        Settings {
            configured: Configured { log_level: "info".into(), ..Configured::default() },
            live_interval,
            check: CheckConfig::default(),
            roster: Roster {
                athletes: vec![Athlete {
                    id: alex.clone(),
                    name: "Alex".into(),
                    time_zone: TimeZone::system(),
                    posture: Posture::Supine,
                    wake_window: None,
                }],
                straps: vec![Strap { id: STRAP, athlete: alex.clone(), name: Some("Simulated strap".into()) }],
            },
            releases: std::collections::BTreeMap::new(),
            // who stays can be asked how it feels first; who only looks shall see the whole
            readiness: ReadinessSettings {
                feel_wait: if self.args.keep { DEFAULT_WAIT } else { Duration::ZERO },
                ..ReadinessSettings::default()
            },
            mqtt: Some(MqttConfig {
                host: self.broker.ip().to_string(),
                port: self.broker.port(),
                gateway_id: "demo".into(),
                ..MqttConfig::default()
            }),
            render: RenderOptions { live_interval, ..RenderOptions::default() },
            bluetooth: None,
            store: self.dir.join("hrvd.db"),
            flush_every: Duration::from_secs(10),
            control_socket: self.dir.join("control.sock"),
            keeping: crate::daemon::Keeping::default(),
        }
    }

    fn show(&self, guide: &Guide, m: &mqtt::Seen) {
        let payload = String::from_utf8_lossy(&m.payload);
        let text: String = if m.topic.ends_with("/config") {
            format!("(discovery of a device, {} bytes)", m.payload.len())
        } else {
            let cut: String = payload.chars().take(160).collect();
            if cut.len() < payload.len() { format!("{cut}…") } else { cut }
        };
        // the bar shows progress already
        let progress = m.topic.ends_with("alex/check") && !payload.contains("\"hr\":null");
        if progress {
            return;
        }
        guide.say(&format!("{} {text}", self.look.dim(&format!("mqtt {}", m.topic))));
    }

    fn invite(&self, guide: &Guide) {
        let port = self.broker.port();
        guide.say(&format!(
            "\nStill running; Ctrl-C ends it.\n\
             Look:            mosquitto_sub -p {port} -t 'hrvd/#' -v\n\
             Start a check:   mosquitto_pub -p {port} -t hrvd/demo/athlete/alex/check/set -m start\n\
             Home Assistant:  Settings > Devices & services > Add integration > MQTT, broker 127.0.0.1, port {port}\n\
             \x20                (on this machine; the broker listens on loopback only). Three devices appear by themselves."
        ));
    }
}

/// A strap on a chest: the recorded session, over and over.
async fn strap(tx: mpsc::Sender<(Now, Input)>, clock: Clock, rr: Vec<RrTicks>) {
    let say = async |input| tx.send((clock.now(), input)).await.is_ok();
    let facts = StrapFacts {
        name: Some("Simulated strap".into()),
        battery_pct: Some(83),
        rssi_dbm: Some(-58),
        location: Some(1),
        manufacturer: Some("hrvd".into()),
        model: Some("demo".into()),
        ..StrapFacts::default()
    };
    if !say(Input::Link { strap: STRAP, state: LinkState::Connected }).await
        || !say(Input::Facts { strap: STRAP, facts }).await
    {
        return;
    }
    let start = clock.mono();
    for n in StrapSim::new(rr.into_iter().cycle()) {
        tokio::time::sleep(clock.until(start + n.at)).await;
        // At its own moment, as the radio stamps it: at this pace a machine that is busy for 50 ms would make a gap.
        let (real, at) = (clock.now(), start + n.at);
        let wall = real.wall.and_then(|w| w.checked_sub(real.mono.since(at)).ok());
        let now = Now { mono: at.min(real.mono), wall };
        if tx.send((now, Input::Packet { strap: STRAP, bytes: n.bytes })).await.is_err() {
            return;
        }
    }
}

type Lines = tokio::io::Lines<BufReader<tokio::net::unix::OwnedReadHalf>>;

/// Connects to the daemon's socket like any client, listens and asks for a check.
async fn open(path: &std::path::Path) -> Result<(Lines, tokio::net::unix::OwnedWriteHalf), Failed> {
    let stream = loop {
        match UnixStream::connect(path).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let (read, mut write) = stream.into_split();
    for op in [Op::Subscribe { athlete: None }, Op::StartCheck { athlete: None, posture: None }] {
        write.write_all(format!("{}\n", serde_json::to_string(&op)?).as_bytes()).await?;
    }
    Ok((BufReader::new(read).lines(), write))
}

async fn next(lines: &mut Option<(Lines, tokio::net::unix::OwnedWriteHalf)>) -> Result<String, Failed> {
    match lines {
        None => std::future::pending().await,
        Some((lines, _)) => match lines.next_line().await? {
            Some(line) => Ok(line),
            None => std::future::pending().await,
        },
    }
}

async fn wait(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
