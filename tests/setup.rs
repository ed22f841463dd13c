//! `hrvd setup`: scripted and at a terminal, against a real broker, with straps of a faked bluetoothd.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod common;
#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/mosquitto.rs"]
mod mosquitto;
#[path = "common/pty.rs"]
mod pty;

use common::bluez::FakeBluez;
use daemon::{Home, Program, Said};
use hrvd::sim::{Heart, HeartConfig, StrapSim};
use mosquitto::{Mosquitto, add_user, free_port, retained};
use pty::Pty;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const A: &str = "C0:FF:EE:00:00:01";
const B: &str = "C0:FF:EE:00:00:02";

/// A home whose configuration says nothing of a broker.
fn home() -> Home {
    let home = Home::new();
    let text = format!(
        "[gateway]\nid = \"g\"\n[store]\npath = {:?}\n[control]\nsocket = {:?}\n\
         [bluetooth]\nscan_on = \"2s\"\nscan_off = \"1s\"\n[mqtt]\nlive_interval = \"1s\"\n",
        home.db(),
        home.socket()
    );
    std::fs::write(home.config(), text).unwrap();
    home
}

/// A broker that wants a password of user hrvd.
fn guarded() -> Mosquitto {
    Mosquitto::start_with("password_file {dir}/users\n", |dir| add_user(&dir.join("users"), "hrvd", "s3cret pass"))
}

fn password(home: &Home, text: &str) -> String {
    let file = home.path("pw.txt");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Everything below the folder of the configuration that setup may have made.
fn made(home: &Home) -> Vec<String> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, out) } else { out.push(path) }
        }
    }
    let mut out = vec![];
    walk(&home.path("conf.d"), &mut out);
    walk(&home.path("credentials"), &mut out);
    let root = home.path("x").parent().unwrap().to_owned();
    let mut names: Vec<String> = out.iter().map(|p| p.strip_prefix(&root).unwrap().display().to_string()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

const FILES: [&str; 3] = ["conf.d/50-setup.toml", "conf.d/60-athlete-alex.toml", "credentials/mqtt-password"];

#[test]
fn a_wrong_password_is_named_and_nothing_is_written() {
    let (broker, home) = (guarded(), home());
    let file = password(&home, "wrong\n");
    let at = format!("127.0.0.1:{}", broker.port);
    let args = ["setup", "--yes", "--broker", &at, "--username", "hrvd", "--password-file", &file, "--athlete", "Alex"];
    let said = home.run(&[&args[..], &["--no-strap"]].concat()).ends(1);
    let said = said.complains("the broker refuses our user name or password").complains("Nothing was changed");
    assert!(!said.err.contains("wrong\n"), "a password on the terminal");
    assert!(made(&home).is_empty(), "{:?}", made(&home));
}

#[test]
fn a_right_password_is_kept_and_the_daemon_logs_in_with_it() {
    let (broker, home) = (guarded(), home());
    let file = password(&home, "s3cret pass\n");
    let at = format!("127.0.0.1:{}", broker.port);
    let first = ["setup", "--yes", "--broker", &at, "--username", "hrvd", "--password-file", &file];
    let first = [&first[..], &["--athlete", "Alex", "--no-strap"]].concat();
    // shown first, written never
    let said = home.run(&[&first[..], &["--dry-run"]].concat()).ends(0).complains("lets us in as hrvd");
    let said = said.complains("username = \"hrvd\"").complains("not shown");
    assert!(!said.err.contains("s3cret"), "{}", said.err);
    assert!(made(&home).is_empty(), "{:?}", made(&home));

    let said = home.run(&first).ends(0).complains("This will be written:").complains("button.alex_start_morning_check");
    assert!(!said.err.contains("s3cret"), "{}", said.err);
    assert_eq!(made(&home), FILES);
    assert_eq!(mode(&home.path("credentials/mqtt-password")), 0o600);
    assert_eq!(mode(&home.path("credentials")), 0o700);
    assert_eq!(mode(&home.path("conf.d/50-setup.toml")), 0o644);
    home.run(&["config", "check"]).ends(0);
    let mut hrvd = Program::start(&home, None);
    hrvd.wait_log("hrvd 0.1.0 starts");
    // the second run finds all as it should be, by the daemon's own word
    let again = ["setup", "--yes", "--athlete", "Alex", "--no-strap", "--json"];
    let json = daemon::wait_for(
        daemon::SOON,
        "connected",
        || hrvd.log(),
        || Some(home.run(&again).ends(0).objects()[0].clone()).filter(|v| v["mqtt"] == "connected"),
    );
    assert_eq!((&json["athlete"], &json["written"]), (&"alex".into(), &serde_json::json!([])), "{json}");
    home.run(&first).ends(0).complains("nothing to write");
    hrvd.terminate();

    // what somebody edited is his
    let fragment = home.path("conf.d/50-setup.toml");
    let edited = std::fs::read_to_string(&fragment).unwrap() + "[log]\nlevel = \"debug\"\n";
    std::fs::write(&fragment, &edited).unwrap();
    let other =
        ["setup", "--yes", "--broker", &at.replace("127.0.0.1", "localhost"), "--athlete", "alex", "--no-strap"];
    let other = [&other[..], &["--username", "hrvd", "--password-file", &file]].concat();
    home.run(&other).ends(1).complains("was edited by hand").complains("host = \"localhost\"");
    assert_eq!(std::fs::read_to_string(&fragment).unwrap(), edited);
}

#[test]
fn no_broker_is_said_with_what_to_do() {
    let home = home();
    let at = format!("127.0.0.1:{}", free_port());
    let said = home.run(&["setup", "--yes", "--broker", &at, "--athlete", "Alex", "--no-strap"]).ends(1);
    said.complains("nothing answers at 127.0.0.1:")
        .complains("apt-get install mosquitto")
        .complains("Nothing was changed");
    home.run(&["setup", "--yes", "--broker", "mqtt://x", "--athlete", "a", "--no-strap"])
        .ends(1)
        .complains("without mqtt://");
    assert!(made(&home).is_empty());
}

#[test]
fn what_a_script_leaves_out_is_named() {
    let (broker, home) = (Mosquitto::open(), home());
    let at = format!("127.0.0.1:{}", broker.port);
    home.run(&["setup", "--yes", "--broker", &at]).ends(2).complains("--athlete");
    assert!(made(&home).is_empty());
    // a name in no alphabet of ours
    home.run(&["setup", "--yes", "--broker", &at, "--athlete", "李", "--no-strap"]).ends(1).complains("short name");
    // a login that its owner keeps: asked for a user without a password file is not answered by another's
    home.run(&["setup", "--yes", "--broker", &at, "--athlete", "Zoë K", "--no-strap"]).ends(0);
    let text = std::fs::read_to_string(home.path("conf.d/60-athlete-zo--k.toml")).unwrap();
    assert!(text.contains("name = \"Zoë K\""), "{text}");
    home.run(&["config", "show"]).ends(0).says("Zoë K");
}

#[test]
fn a_certificate_is_verified_and_its_authority_named() {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "test ca");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut tls_port = 0;
    let mut broker = None;
    // a free port may be taken by somebody else before the broker has it
    for _ in 0..10 {
        tls_port = free_port();
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let settings = format!(
            "allow_anonymous true\nlistener {tls_port} 127.0.0.1\ncafile {{dir}}/ca\ncertfile {{dir}}/cert\nkeyfile {{dir}}/key\n"
        );
        broker = Some(Mosquitto::start_with(&settings, |dir| {
            std::fs::write(dir.join("ca"), ca.pem()).unwrap();
            std::fs::write(dir.join("cert"), cert.pem()).unwrap();
            std::fs::write(dir.join("key"), key.serialize_pem()).unwrap();
        }));
        if std::net::TcpStream::connect(("127.0.0.1", tls_port)).is_ok() {
            break;
        }
    }
    let broker = broker.unwrap();
    let (home, at) = (home(), format!("localhost:{tls_port}"));
    let args = ["setup", "--yes", "--broker", &at, "--athlete", "Alex", "--no-strap", "--tls"];
    // an authority of nobody, so that the result does not depend on what this machine trusts
    let strange = CertifiedIssuer::self_signed(CertificateParams::new(vec![]).unwrap(), KeyPair::generate().unwrap());
    let other = home.path("other.pem");
    std::fs::write(&other, strange.unwrap().pem()).unwrap();
    let said = home.run(&[&args[..], &["--ca-file", other.to_str().unwrap()]].concat()).ends(1);
    said.complains("TLS: ").complains("Nothing was changed");
    let own = broker.dir().join("ca");
    let said = home.run(&[&args[..], &["--ca-file", own.to_str().unwrap()]].concat()).ends(0);
    said.complains("lets us in without a user name");
    let text = std::fs::read_to_string(home.path("conf.d/50-setup.toml")).unwrap();
    assert!(text.contains("enabled = true") && text.contains("ca_file = "), "{text}");
    home.run(&["config", "check"]).ends(0);
}

/// A heart in a strap: a notification a second while somebody listens.
struct Worn(Arc<AtomicBool>, Option<std::thread::JoinHandle<()>>);

impl Worn {
    fn start(fake: &Arc<FakeBluez>, address: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (end, fake) = (Arc::clone(&stop), Arc::clone(fake));
        let thread = std::thread::spawn(move || {
            let begun = daemon::now();
            for n in StrapSim::new(Heart::new(HeartConfig::default())) {
                while daemon::now() - begun < n.at {
                    if end.load(Ordering::Relaxed) {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                fake.notify(address, &n.bytes);
            }
        });
        Self(stop, Some(thread))
    }
}

impl Drop for Worn {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        let _ = self.1.take().map(std::thread::JoinHandle::join);
    }
}

fn at_bus(home: &Home, fake: &FakeBluez, args: &[&str]) -> Command {
    let mut command = home.hrvd(args);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", fake.address());
    command
}

#[test]
fn a_worn_strap_is_adopted_tested_and_shown_in_home_assistant() {
    let (broker, home) = (Mosquitto::open(), home());
    let fake = Arc::new(FakeBluez::start());
    fake.add_strap(A, "Strap 01");
    let at = format!("127.0.0.1:{}", broker.port);
    home.run(&["setup", "--yes", "--broker", &at, "--athlete", "Alex", "--no-strap"]).ends(0);
    let mut hrvd = Program::start(&home, Some(&fake.address()));
    hrvd.wait_log("starts");
    let worn = Worn::start(&fake, A);
    let args = ["setup", "--yes", "--athlete", "Alex", "--seconds", "2", "--json"];
    let said = Said::of(at_bus(&home, &fake, &[&args[..], &["--strap", A]].concat())).ends(0);
    let said = said
        .complains("Strap 01")
        .complains("nobody's yet")
        .complains("dBm")
        .complains(" beats")
        .complains("battery 90 %");
    let json = &said.objects()[0];
    assert_eq!((&json["strap"], &json["mqtt"]), (&A.into(), &"connected".into()), "{json}");
    // a machine that stands still may cost a beat; no signal at all would be another word
    assert!(["good", "weak"].contains(&json["signal"].as_str().unwrap()), "{json} {}", said.err);
    let said = said.complains("has these devices now");
    let topics: Vec<String> = retained(broker.port).into_iter().map(|s| s.topic).collect();
    for topic in
        ["homeassistant/device/hrvd_g_athlete_alex/config", "homeassistant/device/hrvd_g_strap_c0ffee000001/config"]
    {
        assert!(topics.iter().any(|t| t == topic), "{topics:?}\n{}", said.err);
    }
    // without a word about which: the only one here is connected and Alex's, and in a script nobody guesses
    Said::of(at_bus(&home, &fake, &args)).ends(2).complains("--strap or --no-strap");
    drop(worn);
    hrvd.terminate();
}

#[test]
fn without_a_daemon_the_strap_is_adopted_for_its_next_start() {
    let (broker, home) = (Mosquitto::open(), home());
    let fake = FakeBluez::start();
    fake.add_strap(A, "Strap 01");
    fake.add_strap(B, "Strap 02");
    let at = format!("127.0.0.1:{}", broker.port);
    let args = ["setup", "--broker", &at, "--athlete", "Alex", "--seconds", "2"];
    let mut terminal = Pty::start(at_bus(&home, &fake, &args));
    terminal.expect("Write it (y/n) [y]: ");
    terminal.line("");
    terminal.expect(A);
    terminal.expect(B);
    // two straps: none is taken for yours
    terminal.expect("or none [none]: ");
    terminal.line("1");
    terminal.expect("hrvd is not running");
    terminal.expect("As soon as hrvd runs");
    assert_eq!(terminal.wait().code(), Some(0), "{}", terminal.seen());
    let adopted = std::fs::read_to_string(home.path("hrvd.db.adopted")).unwrap();
    assert!(adopted.contains("alex"), "{adopted}");
}

#[test]
fn at_a_terminal_it_asks_until_the_broker_agrees_and_hides_the_password() {
    let (broker, home) = (guarded(), home());
    let at = format!("127.0.0.1:{}", broker.port);
    let mut terminal = Pty::start(home.hrvd(&["setup", "--broker", &at, "--no-strap"]));
    terminal.expect("User name at the broker [hrvd]: ");
    terminal.line("");
    terminal.expect("Password (not shown): ");
    terminal.line("n0 good");
    terminal.expect("refuses our user name or password");
    terminal.expect("User name at the broker [hrvd]: ");
    terminal.line("hrvd");
    terminal.expect("Password (not shown): ");
    terminal.line("s3cret pass");
    terminal.expect("lets us in as hrvd");
    terminal.expect("Who wears the strap? A name: ");
    terminal.line("Alex");
    terminal.expect("Write it (y/n) [y]: ");
    terminal.line("n");
    assert_eq!(terminal.wait().code(), Some(1));
    assert!(made(&home).is_empty(), "{:?}", made(&home));
    assert!(!terminal.seen().contains("s3cret") && !terminal.seen().contains("n0 good"), "{}", terminal.seen());
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let (broker, home) = (guarded(), home());
    let at = format!("127.0.0.1:{}", broker.port);
    for (last, typed) in [
        ("User name at the broker [hrvd]: ", &[][..]),
        ("Password (not shown): ", &[""][..]),
        ("Write it (y/n) [y]: ", &["", "s3cret pass", "Alex"][..]),
    ] {
        let mut terminal = Pty::start(home.hrvd(&["setup", "--broker", &at, "--no-strap"]));
        let mut prompts =
            ["User name at the broker [hrvd]: ", "Password (not shown): ", "A name: "].into_iter().take(typed.len());
        for line in typed {
            terminal.expect(prompts.next().unwrap());
            terminal.line(line);
        }
        terminal.expect(last);
        terminal.interrupt();
        terminal.expect("Nothing was changed.");
        assert_eq!(terminal.wait().code(), Some(1), "{}", terminal.seen());
        assert!(made(&home).is_empty(), "{last}: {:?}", made(&home));
    }
}

/// systemd's tools as far as setup uses them, first in the search path: what is asked of systemctl is noted.
fn tools(home: &Home) -> String {
    let (bin, log) = (home.path("bin"), home.path("systemctl.log"));
    std::fs::create_dir(&bin).unwrap();
    let tool = |name: &str, text: &str| {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    tool("systemctl", &format!("echo \"$*\" >> {}", log.display()));
    tool("systemd-creds", "[ \"$1 $2 $3 $4\" = 'encrypt --name=mqtt-password - -' ] && tr a-z b-za");
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_service_that_does_not_run_is_started() {
    let (broker, home) = (Mosquitto::open(), home());
    let at = format!("127.0.0.1:{}", broker.port);
    let args = ["setup", "--yes", "--broker", &at, "--athlete", "Alex", "--no-strap"];
    home.run(&args).ends(0);
    let (path, log) = (tools(&home), home.path("systemctl.log"));
    let mut command = home.hrvd(&[&args[..], &["--service", "hrvd"]].concat());
    command.env("PATH", path);
    let said = std::thread::spawn(move || Said::of(command));
    let asked = || std::fs::read_to_string(&log).unwrap_or_default();
    daemon::wait_for(daemon::SOON, "systemctl start", String::new, || asked().contains("start hrvd\n").then_some(()));
    let mut hrvd = Program::start(&home, None);
    let said = said.join().unwrap().ends(0).complains("nothing to write").complains("hrvd does not run");
    said.complains("hrvd runs with it").complains("has these devices now");
    assert_eq!(asked(), "start hrvd\n");
    hrvd.terminate();
}

#[test]
fn an_encrypted_credential_goes_with_its_drop_in_and_the_unit_is_restarted() {
    let (broker, home) = (guarded(), home());
    let file = password(&home, "s3cret pass");
    let (units, log) = (home.path("units"), home.path("systemctl.log"));
    let path = tools(&home);
    let at = format!("127.0.0.1:{}", broker.port);
    let mut hrvd = Program::start(&home, None);
    hrvd.wait_log("starts");
    let args = ["setup", "--yes", "--broker", &at, "--username", "hrvd", "--password-file", &file, "--athlete", "Alex"];
    let more = ["--no-strap", "--encrypt", "--service", "hrvd", "--unit-dir", units.to_str().unwrap()];
    let mut command = home.hrvd(&[&args[..], &more].concat());
    command.env("PATH", path);
    Said::of(command).ends(0).complains("then: systemctl restart hrvd");
    assert_eq!(std::fs::read_to_string(log).unwrap(), "daemon-reload\nrestart hrvd\n");
    let sealed = home.path("credentials/mqtt-password.cred");
    assert_eq!((std::fs::read_to_string(&sealed).unwrap().as_str(), mode(&sealed)), ("t3dsfu qbtt", 0o600));
    let drop_in = std::fs::read_to_string(units.join("hrvd.service.d/encrypted-password.conf")).unwrap();
    assert!(drop_in.ends_with(&format!("\nLoadCredentialEncrypted=mqtt-password:{}\n", sealed.display())), "{drop_in}");
    // emptying the list must not cost the boot id that the unit hands over
    let unit = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/hrvd.service")).unwrap();
    let boot = unit.lines().find(|l| l.starts_with("LoadCredential=boot-id:")).unwrap();
    assert!(drop_in.contains(&format!("LoadCredential=\nSetCredential=\n{boot}\n")), "{drop_in}");
    assert!(!home.path("credentials/mqtt-password").exists());
    hrvd.terminate();
}

#[test]
fn without_any_configuration_it_is_up_and_says_the_next_step() {
    if Path::new(hrvd::config::DEFAULT_FILE).exists() {
        eprintln!("SKIPPED: this machine has a configuration of its own");
        return;
    }
    let home = Home::new();
    let bare = |args: &[&str]| {
        let mut command = daemon::program();
        command.args(args).env("HRVD__STORE__PATH", home.db()).env("HRVD__CONTROL__SOCKET", home.socket());
        // whatever broker this machine may have is none of ours
        command.env("HRVD__MQTT__PORT", free_port().to_string());
        command
    };
    let fake = FakeBluez::start();
    let manager = daemon::Manager::listen(&home.path("notify"));
    let mut hrvd = bare(&["run"]);
    hrvd.env("NOTIFY_SOCKET", &manager.path).env("DBUS_SYSTEM_BUS_ADDRESS", fake.address());
    let mut hrvd = hrvd.stderr(std::process::Stdio::null()).spawn().unwrap();
    manager.wait("READY=1");
    manager.wait_status("no strap adopted yet: run sudo hrvd setup");
    manager.wait_status("MQTT down: ");
    let said = Said::of(bare(&["doctor"])).ends(1);
    said.says("warn  straps").says("→ sudo hrvd setup").says("fail  broker").says("sudo hrvd setup finds");
    hrvd.kill().unwrap();
    hrvd.wait().unwrap();
}
