//! A broker that knows nothing of MQTT 5 (aedes, 3.1.1 only): what discovery says of message expiry and the like must
//! not hurt there. Needs Node.js and the package; `$AEDES_DIR` is the folder in which `npm install aedes` ran, as
//! `scripts/test` does. Without it nothing is tested, and that is said.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use daemon::{Home, Program, SOON, wait_for};
use mosquitto::{Observer, free_port, read_packet, retained};
use serde_json::Value;
use std::io::Write;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const BROKER: &str = "require('aedes').Aedes.createBroker().then(b => require('node:net').createServer(b.handle)
    .listen(Number(process.argv[1]), '127.0.0.1'))";
const ALEX: &str = "[[athlete]]\nslug = \"alex\"\n[[strap]]\naddress = \"C0:FF:EE:00:00:01\"\nathlete = \"alex\"\n";
const KIM: &str = "[[athlete]]\nslug = \"kim\"\n";

struct Aedes {
    child: Child,
    port: u16,
}

impl Aedes {
    fn start() -> Option<Self> {
        let Some(dir) = std::env::var_os("AEDES_DIR") else {
            eprintln!("SKIPPED: no broker without MQTT 5 here; set AEDES_DIR to where `npm install aedes` ran");
            return None;
        };
        for _ in 0..10 {
            let port = free_port();
            let mut node = Command::new("node");
            node.args(["-e", BROKER, &port.to_string()]).current_dir(&dir).stdin(Stdio::null());
            let mut child = node.spawn().expect("node starts");
            let up = wait_for(
                SOON,
                "aedes listens",
                || format!("port {port}"),
                || match child.try_wait().unwrap() {
                    // somebody else took the port
                    Some(_) => Some(false),
                    None => TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(true),
                },
            );
            if up && child.try_wait().unwrap().is_none() {
                return Some(Self { child, port });
            }
        }
        panic!("aedes does not start in {}", dir.to_string_lossy());
    }
}

impl Drop for Aedes {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a client that speaks MQTT 5 is let in.
fn takes_version_5(port: u16) -> bool {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // CONNECT: name, level 5, clean start, keep-alive 60 s, no properties, client id "v5"
    let connect = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02v5";
    stream.write_all(connect).unwrap();
    read_packet(&mut stream).is_ok_and(|(kind, body)| kind == 0x20 && body.get(1) == Some(&0))
}

#[test]
fn the_whole_gateway_on_a_broker_without_mqtt_5() {
    let Some(broker) = Aedes::start() else { return };
    assert!(!takes_version_5(broker.port), "this broker speaks MQTT 5: the test would prove nothing");
    let observer = Observer::new(broker.port);
    let home = Home::new();
    home.configure(broker.port, &format!("{ALEX}{KIM}"));
    let mut hrvd = Program::start(&home, None);
    observer.until_message("hrvd/g/status", "online");
    // discovery is kept, and names what only MQTT 5 can do
    let kept = retained(broker.port);
    let config = |object: &str| {
        let topic = format!("homeassistant/device/hrvd_g{object}/config");
        let found = kept.iter().find(|s| s.topic == topic).unwrap_or_else(|| panic!("no {topic}"));
        serde_json::from_str::<Value>(&found.payload).unwrap()
    };
    assert_eq!(config("_athlete_alex")["cmps"]["start_check"]["message_expiry_interval"], 30);
    for object in ["", "_strap_c0ffee000001", "_athlete_kim"] {
        assert!(config(object)["cmps"].as_object().is_some_and(|c| !c.is_empty()), "{object}");
    }
    // commands arrive and come back as state
    observer.publish("hrvd/g/athlete/alex/setting/max_hr/set", "188", false);
    observer.until("a setting", |all| {
        all.iter().any(|s| s.topic == "hrvd/g/athlete/alex/settings" && s.payload.contains("\"max_hr\":188"))
    });
    observer.publish("hrvd/g/athlete/alex/check/set", "start", false);
    observer.until("a check", |all| {
        all.iter().any(|s| s.topic == "hrvd/g/athlete/alex/check" && s.payload.contains("waiting_for_strap"))
    });
    observer.publish("hrvd/g/athlete/alex/check/set", "cancel", false);
    observer.until("its end as an event", |all| {
        all.iter().any(|s| s.topic == "hrvd/g/athlete/alex/event/check" && s.payload.contains("cancelled"))
    });
    // the last will, and a birth message that is answered with everything
    hrvd.kill();
    observer.until_message("hrvd/g/status", "offline");
    home.configure(broker.port, ALEX);
    observer.clear();
    let mut hrvd = Program::start(&home, None);
    observer.until_message("hrvd/g/status", "online");
    observer.until("Kim is removed", |all| {
        all.iter().any(|s| s.topic == "homeassistant/device/hrvd_g_athlete_kim/config" && s.payload.is_empty())
    });
    observer.clear();
    observer.publish("homeassistant/status", "online", false);
    observer.until("discovery again", |all| {
        all.iter().filter(|s| s.topic.starts_with("homeassistant/device/") && !s.payload.is_empty()).count() >= 3
    });
    let (status, _) = hrvd.terminate();
    assert_eq!(status.code(), Some(0), "{}", hrvd.log());
    observer.until_message("hrvd/g/status", "offline");
    assert!(retained(broker.port).iter().all(|s| !s.topic.contains("kim")));
}
