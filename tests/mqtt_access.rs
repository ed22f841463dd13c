//! Passwords, certificates and access rules: what is refused is named, tried slowly, and costs no result.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/mosquitto.rs"]
mod mosquitto;
#[path = "common/mqtt_client.rs"]
mod mqtt_client;

use hrvd::mqtt::{ClientCert, ConnectionState, MqttConfig, TlsOptions};
use mosquitto::{Mosquitto, Observer, add_user, free_port, write_rules};
use mqtt_client::{Client, RESULT, SET, STATUS, config, ms};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::fs::Permissions;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

fn refused(s: &ConnectionState) -> bool {
    matches!(s, ConnectionState::Refused { .. })
}

fn login(port: u16, password: &Path) -> MqttConfig {
    MqttConfig { username: Some("hrvd".into()), password_file: Some(password.into()), ..config(port) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named_and_a_corrected_one_needs_no_restart() {
    let broker = Mosquitto::start_with("password_file {dir}/users\n", |dir| {
        add_user(&dir.join("users"), "hrvd", "secret");
    });
    let file = broker.dir().join("password");
    std::fs::write(&file, "wrong\n").unwrap();
    let client = Client::start(login(broker.port, &file));
    client.handle.set_retained("hrvd/g/bridge".into(), b"state".to_vec());
    client.push("result");
    let state = client.until("refused", refused).await;
    assert!(state.to_string().contains("user name or password"), "{state}");
    assert!(state.to_string().contains("password_file"), "{state}");
    assert!(client.outbox.sent().is_empty());
    let observer = Observer::login(broker.port, Some(("hrvd", "secret")));
    std::fs::write(&file, "secret\n").unwrap();
    client.connected().await;
    client.until_sent(1).await;
    observer.until_message(RESULT, "result");
    observer.until_message("hrvd/g/bridge", "state");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_password_file_is_named() {
    let broker = Mosquitto::open();
    let file = broker.dir().join("nothing-here");
    let client = Client::start(login(broker.port, &file));
    let state = client.until("refused", refused).await;
    assert!(state.to_string().contains(file.to_str().unwrap()), "{state}");
    std::fs::write(&file, "any").unwrap();
    client.connected().await;
}

/// A broker that answers each CONNECT with this return code, and notes when.
#[allow(clippy::disallowed_methods)] // real attempts take real time
fn refuser(code: u8) -> (u16, Arc<Mutex<Vec<Instant>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let attempts: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let log = Arc::clone(&attempts);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if mosquitto::read_packet(&mut stream).is_ok() {
                log.lock().unwrap().push(Instant::now());
                let _ = stream.write_all(&[0x20, 2, 0, code]);
            }
        }
    });
    (port, attempts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_retried_slowly_and_an_outage_fast() {
    for (code, slow) in [(1, true), (2, true), (4, true), (5, true), (3, false)] {
        let (port, attempts) = refuser(code);
        let client = Client::start(config(port));
        let state = client.until("not connected", |s| *s != ConnectionState::Connecting).await;
        assert_eq!(refused(&state), slow, "{code}: {state}");
        let noted = || attempts.lock().unwrap().clone();
        while noted().len() < 4 {
            tokio::time::sleep(ms(20)).await;
        }
        // Slow: 0.4 to 0.48 s apart, a little less as we see it. Fast: 50 ms that double up to 300 ms.
        let apart: Vec<_> = noted().windows(2).map(|w| w[1] - w[0]).collect();
        assert_eq!(slow, apart.iter().all(|d| *d >= ms(350)), "{code}: {apart:?}");
        client.handle.shutdown(ms(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_throws_away_is_noticed_and_results_wait() {
    let rules = "user hrvd\ntopic read homeassistant/status\n";
    let broker = Mosquitto::start_with("password_file {dir}/users\nacl_file {dir}/acl\n", |dir| {
        add_user(&dir.join("users"), "hrvd", "secret");
        write_rules(&dir.join("acl"), rules);
    });
    let file = broker.dir().join("password");
    std::fs::write(&file, "secret").unwrap();
    let mut config = login(broker.port, &file);
    config.timing.echo = ms(500);
    let client = Client::start(config);
    client.push("result");
    // MQTT 3.1.1 acknowledges what an access rule forbids. Only the missing echo of our own status tells.
    let state = client.until("unheard", |s| *s == ConnectionState::Unheard).await;
    assert!(state.is_up());
    assert!(state.to_string().contains("access rules"), "{state}");
    tokio::time::sleep(ms(300)).await;
    assert!(client.outbox.sent().is_empty(), "a result that nobody would get must wait");
    write_rules(&broker.dir().join("acl"), &format!("{rules}topic readwrite hrvd/#\n"));
    broker.reload();
    client.connected().await;
    client.until_sent(1).await;
}

/// The rules that `docs/mqtt.md` recommends are enough for everything.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_access_rules_are_enough() {
    let doc = include_str!("../docs/mqtt.md");
    let rules = doc.split("```acl\n").nth(1).expect("an acl block").split("```").next().unwrap().to_owned();
    let broker = Mosquitto::start_with("password_file {dir}/users\nacl_file {dir}/acl\n", |dir| {
        add_user(&dir.join("users"), "hrvd", "secret");
        add_user(&dir.join("users"), "root", "r");
        write_rules(&dir.join("acl"), &format!("{rules}\nuser root\ntopic readwrite #\n"));
    });
    let file = broker.dir().join("password");
    std::fs::write(&file, "secret").unwrap();
    let observer = Observer::login(broker.port, Some(("root", "r")));
    let mut client = Client::start(login(broker.port, &file));
    client.handle.set_retained("homeassistant/device/hrvd_g/config".into(), b"{}".to_vec());
    client.push("result");
    client.until_sent(1).await;
    observer.until_message("homeassistant/device/hrvd_g/config", "{}");
    observer.until_message(RESULT, "result");
    observer.until_message(STATUS, "online");
    observer.publish(SET, "start", false);
    client.command().await;
    observer.clear();
    observer.publish("homeassistant/status", "online", false);
    observer.until_message(STATUS, "online");
}

/// The rules of `docs/home-assistant.md`: Home Assistant reads everything and commands, and can forge nothing.
#[tokio::test(flavor = "multi_thread")]
async fn home_assistants_access_rules_let_it_command_and_not_forge() {
    let doc = include_str!("../docs/home-assistant.md");
    let block = doc.split("```acl\n").nth(1).expect("an acl block").split("```").next().unwrap();
    let rules: String = block.lines().map(|l| format!("{}\n", l.trim())).collect();
    let broker = Mosquitto::start_with("password_file {dir}/users\nacl_file {dir}/acl\n", |dir| {
        for user in ["hrvd", "homeassistant", "root"] {
            add_user(&dir.join("users"), user, "secret");
        }
        write_rules(&dir.join("acl"), &format!("{rules}\nuser root\ntopic readwrite #\n"));
    });
    let file = broker.dir().join("password");
    std::fs::write(&file, "secret").unwrap();
    let home = Observer::login(broker.port, Some(("homeassistant", "secret")));
    let root = Observer::login(broker.port, Some(("root", "secret")));
    let mut client = Client::start(login(broker.port, &file));
    client.handle.set_retained("homeassistant/device/hrvd_g/config".into(), b"{}".to_vec());
    client.push("result");
    client.until_sent(1).await;
    // it sees discovery, states and events
    home.until_message("homeassistant/device/hrvd_g/config", "{}");
    home.until_message(RESULT, "result");
    home.until_message(STATUS, "online");
    // what it may not say is thrown away; the broker works through one client's messages in order
    for topic in ["hrvd/g/bridge", "hrvd/g/athlete/alex/morning", "homeassistant/device/hrvd_g/config"] {
        home.publish(topic, "forged", true);
    }
    home.publish(SET, "start", false);
    client.command().await;
    root.until_message(SET, "start");
    assert!(root.seen().iter().all(|m| m.payload != "forged"), "{:?}", root.seen());
}

/// The commands of `docs/home-assistant.md` as they stand there, by root, with a broker that then is `mosquitto`, as Debian's
/// is. What root writes, that user cannot read.
#[test]
fn the_documented_broker_starts_as_its_own_user() {
    let sh = |line: &str| std::process::Command::new("sh").args(["-c", line]).status().unwrap().success();
    if !rustix::process::geteuid().is_root() || !sh("id mosquitto >/dev/null 2>&1") {
        eprintln!("SKIPPED: needs root and a user mosquitto");
        return;
    }
    let doc = include_str!("../docs/home-assistant.md").split("## A broker of your own").nth(1).unwrap();
    let doc = doc.split("\n## ").next().unwrap();
    let fences = |language: &str| -> Vec<String> {
        doc.split(&format!("```{language}\n")).skip(1).map(|b| b.split("```").next().unwrap().to_owned()).collect()
    };
    let commands = fences("sh").concat();
    let config = doc.split("\n```\nlistener 1883\n").nth(1).unwrap().split("```").next().unwrap();
    let broker =
        Mosquitto::start_with(&format!("user mosquitto\n{}", config.replace("/etc/mosquitto", "{dir}")), |dir| {
            std::fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
            std::fs::write(dir.join("rules"), &fences("acl")[0]).unwrap();
            let mut run = 0;
            for line in commands.lines().filter(|l| !l.contains("apt-get") && !l.contains("systemctl")) {
                let line = line.replace("sudo ", "").replace("/etc/mosquitto", dir.to_str().unwrap());
                // a password is asked for at a terminal
                let line = match line.strip_prefix("mosquitto_passwd ") {
                    Some(rest) => format!("mosquitto_passwd -b {rest} secret"),
                    None => line,
                };
                assert!(sh(&line), "{line}");
                run += 1;
            }
            assert_eq!(run, 4, "two users, an owner and a mode");
        });
    let home = Observer::login(broker.port, Some(("homeassistant", "secret")));
    let hrvd = Observer::login(broker.port, Some(("hrvd", "secret")));
    hrvd.publish(STATUS, "online", true);
    home.until_message(STATUS, "online");
    assert!(commands.contains("systemctl restart mosquitto"), "it reads its configuration when it starts");
}

/// An authority, and certificates that it signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn write(&self, dir: &Path, name: &str) -> PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, self.issuer.pem()).unwrap();
        path
    }

    fn sign(&self, dir: &Path, name: &str, host: &str) -> ClientCert {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        // Without a name of its own OpenSSL would take it for a self-signed one.
        params.distinguished_name.push(DnType::CommonName, name);
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let (cert_file, key_file) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
        std::fs::write(&cert_file, cert.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        ClientCert { cert_file, key_file }
    }
}

/// A broker with a TLS listener beside its plain one.
fn tls_broker(authority: &Authority, host: &str, more: &str) -> (Mosquitto, u16) {
    let port = free_port();
    let settings = format!(
        "allow_anonymous true\nlistener {port} 127.0.0.1\nallow_anonymous true\ncafile {{dir}}/ca.pem\n\
         certfile {{dir}}/broker.pem\nkeyfile {{dir}}/broker.key\n{more}\n"
    );
    let broker = Mosquitto::start_with(&settings, |dir| {
        authority.write(dir, "ca.pem");
        authority.sign(dir, "broker", host);
    });
    (broker, port)
}

fn tls(port: u16, ca_file: PathBuf, client: Option<ClientCert>) -> MqttConfig {
    MqttConfig { host: "localhost".into(), tls: Some(TlsOptions { ca_file: Some(ca_file), client }), ..config(port) }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_the_right_authority() {
    let authority = Authority::new();
    let (broker, port) = tls_broker(&authority, "localhost", "");
    let observer = Observer::new(broker.port);
    let client = Client::start(tls(port, broker.dir().join("ca.pem"), None));
    client.push("encrypted");
    client.until_sent(1).await;
    observer.until_message(RESULT, "encrypted");
    client.handle.shutdown(ms(1000)).await;
    observer.until_message(STATUS, "offline");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_another_authority_is_refused_and_named() {
    let authority = Authority::new();
    let (broker, port) = tls_broker(&authority, "localhost", "");
    let observer = Observer::new(broker.port);
    let file = Authority::new().write(broker.dir(), "other.pem");
    let client = Client::start(tls(port, file.clone(), None));
    client.push("secret");
    let state = client.until("refused", refused).await;
    assert!(state.to_string().contains("TLS") && state.to_string().contains("ca_file"), "{state}");
    tokio::time::sleep(ms(600)).await;
    assert!(observer.seen().is_empty(), "nothing may reach a broker that was not verified");
    // The right file in its place works without a restart.
    std::fs::copy(broker.dir().join("ca.pem"), file).unwrap();
    client.until_sent(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_for_another_name_is_refused_and_named() {
    let authority = Authority::new();
    let (broker, port) = tls_broker(&authority, "broker.example", "");
    let client = Client::start(tls(port, broker.dir().join("ca.pem"), None));
    let state = client.until("refused", refused).await;
    assert!(state.to_string().contains("must be a name"), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_opens_the_door() {
    let authority = Authority::new();
    let (broker, port) = tls_broker(&authority, "localhost", "require_certificate true");
    let ca = broker.dir().join("ca.pem");
    let without = Client::start(tls(port, ca.clone(), None));
    let state = without.until("refused", refused).await;
    assert!(state.to_string().contains("mqtt.client_cert"), "{state}");
    without.handle.shutdown(ms(500)).await;
    let stranger = Authority::new().sign(broker.dir(), "stranger", "hrvd");
    let wrong = Client::start(tls(port, ca.clone(), Some(stranger)));
    let state = wrong.until("refused", refused).await;
    assert!(state.to_string().contains("mqtt.client_cert"), "{state}");
    wrong.handle.shutdown(ms(500)).await;
    let own = authority.sign(broker.dir(), "client", "hrvd");
    let client = Client::start(tls(port, ca, Some(own)));
    client.push("with a certificate");
    client.until_sent(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_to_a_plain_port_and_missing_files_are_named() {
    let broker = Mosquitto::open();
    let authority = Authority::new();
    let ca = authority.write(broker.dir(), "ca.pem");
    let plain = Client::start(tls(broker.port, ca.clone(), None));
    plain.until("not connected", |s| !matches!(s, ConnectionState::Connecting)).await;
    assert!(!plain.state().is_up());
    let missing = Client::start(tls(broker.port, broker.dir().join("nothing.pem"), None));
    let state = missing.until("refused", refused).await;
    assert!(state.to_string().contains("nothing.pem"), "{state}");
    let empty = broker.dir().join("empty.pem");
    std::fs::write(&empty, "no certificate").unwrap();
    let client = Client::start(tls(broker.port, empty, None));
    let state = client.until("refused", refused).await;
    assert!(state.to_string().contains("holds no certificate"), "{state}");
    let no_key = ClientCert { cert_file: ca.clone(), key_file: ca.clone() };
    let client = Client::start(tls(broker.port, ca, Some(no_key)));
    let state = client.until("refused", refused).await;
    assert!(state.to_string().contains("private key"), "{state}");
}
