//! The program as people type it: every command, its bad inputs, its exit codes and what it says on which stream.
#![cfg(feature = "daemon")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Home, Said, program, wait_for};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pyhrv_short.txt");
const STRAP: &str = "A0:9E:1A:9F:6E:53";

fn run(args: &[&str]) -> Said {
    let mut command = program();
    command.args(args);
    Said::of(command)
}

/// Writes a file and replays it.
fn replay(name: &str, content: impl AsRef<[u8]>, flags: &[&str]) -> (Said, PathBuf, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    std::fs::write(&file, content).unwrap();
    let mut command = program();
    command.arg("replay").arg(&file).args(flags);
    (Said::of(command), file, dir)
}

/// `n` quiet intervals that are not all equal.
fn quiet(n: usize) -> Vec<u32> {
    (0..n).map(|i| 950 + [0, 23, 41, 12, 35, 7][i % 6]).collect()
}

fn lines(rr: &[u32], end: &str) -> String {
    rr.iter().map(|ms| format!("{ms}{end}")).collect()
}

fn result(said: &Said) -> Value {
    let all: Vec<Value> = said.objects().into_iter().filter(|v| v["type"] == "check_result").collect();
    assert_eq!(all.len(), 1, "one result");
    all.into_iter().next().unwrap()
}

// ---------------------------------------------------------------- replay

#[test]
fn replay_says_each_output_as_an_object_with_a_type() {
    let said = run(&["replay", SAMPLE, "--json"]).ends(0);
    let objects = said.objects();
    let types: BTreeSet<&str> = objects.iter().map(|v| v["type"].as_str().expect("a type")).collect();
    assert_eq!(types, BTreeSet::from(["beats", "check", "check_result", "command", "live", "packet", "strap"]));
    let r = result(&said);
    for key in ["rmssd_ms", "ln_rmssd", "mean_hr_bpm", "sdnn_ms", "pnn50_pct", "artifact_pct", "n"] {
        assert!(r[key].is_number(), "{key} in {r}");
    }
    assert!(["good", "fair", "poor"].contains(&r["grade"].as_str().unwrap()), "{r}");
    let (rmssd, ln) = (r["rmssd_ms"].as_f64().unwrap(), r["ln_rmssd"].as_f64().unwrap());
    assert!((rmssd.ln() - ln).abs() < 1e-9, "{r}");
    // phases in order, and the last word is the result's
    let phases: Vec<&str> = objects
        .iter()
        .filter(|v| v["type"] == "check" && v["changed"] == true)
        .map(|v| v["phase"].as_str().unwrap())
        .collect();
    assert_eq!(phases, ["waiting_for_strap", "settling", "recording", "grading", "done"]);
    // time never runs back
    let times: Vec<f64> =
        objects.iter().filter(|v| v["type"] == "packet").map(|v| v["t_s"].as_f64().unwrap()).collect();
    assert!(times.len() > 150 && times.windows(2).all(|w| w[0] <= w[1]), "{} packets", times.len());
    assert_eq!(said.err, "", "talk in a JSON run");
}

#[test]
fn replay_in_words_puts_the_result_on_stdout_and_the_guide_on_stderr() {
    let json = result(&run(&["replay", SAMPLE, "--json"]).ends(0));
    let said = run(&["replay", SAMPLE]).ends(0);
    let rmssd = format!(
        "RMSSD      {:.1} ms  (ln {:.2})\n",
        json["rmssd_ms"].as_f64().unwrap(),
        json["ln_rmssd"].as_f64().unwrap()
    );
    let said = said.says(&rmssd).says("Heart rate ").says("SDNN ").says("pNN50 ").says("Quality    ");
    assert!(!said.out.contains('\x1b') && !said.err.contains('\x1b'), "colours into a pipe");
    said.complains("Recording. Keep still");
}

#[test]
fn replay_is_the_same_each_time_and_at_any_speed() {
    let first = run(&["replay", SAMPLE, "--json"]).ends(0);
    let again = run(&["replay", SAMPLE, "--json"]).ends(0);
    assert_eq!(first.out, again.out);
    let paced = run(&["replay", SAMPLE, "--json", "--speed", "1000"]).ends(0);
    assert_eq!(first.out, paced.out);
}

#[test]
fn replay_takes_comments_blank_lines_a_byte_order_mark_and_any_line_end() {
    let rr = quiet(260);
    let (plain, ..) = replay("a.txt", lines(&rr, "\n"), &["--json"]);
    let want = result(&plain.ends(0));
    let dressed = format!("\u{feff}# a morning\r\n\r\n{}# the end", lines(&rr, "  # beat\r\n\r\n"));
    let (said, ..) = replay("b.txt", dressed, &["--json"]);
    assert_eq!(result(&said.ends(0)), want);
    // a last line without its end counts too
    let (said, ..) = replay("c.txt", lines(&rr, "\n").trim_end(), &["--json"]);
    assert_eq!(result(&said.ends(0)), want);
}

#[test]
fn replay_names_every_bad_line_with_file_number_and_cause() {
    let (said, file, _dir) = replay("bad.txt", "800\nabc\n-5\n0\nNaN\n700000\n900,5\n801\n", &["--json"]);
    let said = said.ends(2);
    let name = file.display();
    assert_eq!(
        said.err,
        format!(
            "error: {name}: line 2: not a number: 'abc'\n\
             error: {name}: line 3: not a positive interval: '-5'\n\
             error: {name}: line 4: not a positive interval: '0'\n\
             error: {name}: line 5: not a positive interval: 'NaN'\n\
             error: {name}: line 6: longer than ten minutes: '700000'\n\
             error: {name}: line 7: not a number: '900,5'\n\
             hint: one RR interval in ms a line, '#' begins a comment; or a recording that hrvd export wrote\n"
        )
    );
    assert_eq!(said.out, "", "half a file is no file");
    // a wrong kind of file does not flood the terminal
    let (said, ..) = replay("words.txt", "x\n".repeat(1000), &[]);
    let said = said.ends(2).complains("and 980 more\n");
    assert_eq!(said.err.lines().count(), 22);
}

#[test]
fn replay_refuses_what_holds_no_intervals() {
    for (name, content, want) in [
        ("empty.txt", &b""[..], "line 1: no interval in the file"),
        ("comments.txt", b"# nothing\n\n", "line 1: no interval in the file"),
        ("pause.txt", b"800\n70000\n", "holds an interval over 63.9 s, which no strap can send"),
        ("image.png", b"\x89PNG\r\n\x1a\n\0\0", "not text (byte 0 is no UTF-8): neither RR text nor a recording"),
        ("late.bin", b"800\n\xff\n", "not text (byte 4 is no UTF-8)"),
    ] {
        let (said, file, _dir) = replay(name, content, &["--json"]);
        let said = said.ends(2).complains(&format!("error: {}: {want}", file.display())).complains("hint: ");
        assert_eq!(said.out, "");
    }
    let said = run(&["replay", "/nonexistent/morning.txt"]).ends(2);
    said.complains("error: /nonexistent/morning.txt: cannot be read: No such file or directory");
    run(&["replay", "/"]).ends(2).complains("cannot be read: Is a directory");
    run(&["replay"]).ends(2);
    for speed in ["0", "-3", "fast", "NaN"] {
        run(&["replay", SAMPLE, &format!("--speed={speed}")]).ends(2).complains("neither max nor a factor");
    }
}

#[test]
fn replay_of_too_little_gives_no_number() {
    let (said, ..) = replay("short.txt", lines(&quiet(30), "\n"), &["--json"]);
    let said = said.ends(4).complains("too short for a check");
    assert!(said.objects().iter().all(|v| v["type"] != "check_result"));
    // a file has an end, and no strap that could come back
    let (said, ..) = replay("forty.txt", lines(&quiet(40), "\n"), &[]);
    let said = said.ends(4).complains("too short for a check");
    assert!(!said.err.contains("strap went away"), "{}", said.err);
    let one = "812\n";
    replay("one.txt", one, &[]).0.ends(4).complains("too short for a check");
    // a whole session of noise: graded, refused, no number
    let noise: Vec<u32> = (0..700).map(|i| [420, 1500, 610, 1250, 380][i % 5]).collect();
    let (said, ..) = replay("noise.txt", lines(&noise, "\n"), &["--json"]);
    let said = said.ends(4);
    let r = result(&said);
    assert!(r["rmssd_ms"].is_null() && r["ln_rmssd"].is_null() && r["mean_hr_bpm"].is_null(), "{r}");
    assert_eq!(r["grade"], "bad");
    assert!(r["why"].is_string(), "{r}");
}

/// A simulated strap's recording, as `hrvd simulate` writes it.
fn simulated(profile: &str, seconds: u32) -> String {
    run(&["simulate", "--profile", profile, "--seconds", &seconds.to_string(), "--recording"]).ends(0).out
}

#[test]
fn a_check_that_was_aborted_says_why_and_not_that_the_recording_is_short() {
    let tape = simulated("hr_only", 600);
    let words = "this source sends heart rate but no RR intervals.";
    for flags in [&[][..], &["--json"]] {
        let (said, ..) = replay("watch.hrvd", &tape, flags);
        let said = said.ends(4).complains(words);
        assert!(!said.err.contains("too short"), "{}", said.err);
    }
}

#[test]
fn a_recording_in_milliseconds_is_read_so_from_its_first_beat() {
    let mean_rr = |profile: &str| {
        let tape = simulated(profile, 400);
        let (said, file, _dir) = replay("tape.hrvd", &tape, &["--json"]);
        let checked = result(&said.ends(0))["mean_rr_ms"].as_f64().unwrap();
        let all = run(&["analyze", "--json", file.to_str().unwrap()]).ends(0).objects();
        (checked, all[0]["windows"][0]["mean_rr_ms"].as_f64().unwrap())
    };
    let (good, ms) = (mean_rr("plain"), mean_rr("milliseconds"));
    assert!((ms.0 / good.0 - 1.0).abs() < 0.002 && (ms.1 / good.1 - 1.0).abs() < 0.002, "{ms:?}, true {good:?}");
}

#[test]
fn analyze_says_what_a_straps_signal_is_worth() {
    let dir = tempfile::tempdir().unwrap();
    let analyze = |profile: &str, flags: &[&str]| {
        let file = dir.path().join(format!("{profile}.hrvd"));
        std::fs::write(&file, simulated(profile, 600)).unwrap();
        let said = run(&[&["analyze", "--json", file.to_str().unwrap()], flags].concat()).ends(0);
        (said.objects().remove(0), said.err)
    };
    let (plain, quiet) = analyze("plain", &[]);
    assert_eq!((&plain["source"]["smoothing"], &plain["source"]["units"]), (&"none".into(), &"ticks_1024".into()));
    assert!(quiet.is_empty() && plain["windows"][0]["rmssd_ms"].is_number(), "{quiet}");
    for (profile, id, word) in
        [("optical_smoothed", "smoothed_rr", "smoothed"), ("optical_from_hr", "rr_from_heart_rate", "from_heart_rate")]
    {
        let (said, warning) = analyze(profile, &[]);
        assert!(warning.starts_with("warning: ") && warning.contains(id) && warning.lines().count() == 1, "{warning}");
        assert_eq!(said["source"]["smoothing"], word);
        let w = &said["windows"][0];
        assert!(w["mean_hr_bpm"].is_number() && w["rmssd_ms"].is_null() && w["sdnn_ms"].is_null(), "{w}");
        assert!(w["dfa_alpha1"].is_null() && w["stress_index"].is_null() && w["welch"]["hf_ms2"].is_null(), "{w}");
        assert_eq!((&w["why"]["rmssd_ms"], &w["why"]["lomb.hf_ms2"]), (&"refused".into(), &"refused".into()), "{w}");
        let (kept, warning) = analyze(profile, &["--artifacts", "keep"]);
        assert!(kept["windows"][0]["rmssd_ms"].is_number() && warning.contains(id), "{warning}");
    }
}

#[test]
fn replay_takes_recordings_of_this_version_and_names_newer_ones() {
    // what the text replay said it heard, as a recording
    let heard = run(&["replay", SAMPLE, "--json"]).ends(0);
    let mut tape = format!(
        "#hrvd-recording 1\nclock 1000000 2026-11-24T06:30:00Z\nstart 1000000 alex supine manual\nlink 1000000 {STRAP} up\n"
    );
    for v in heard.objects().iter().filter(|v| v["type"] == "packet") {
        let us = 1_000_000 + (v["t_s"].as_f64().unwrap() * 1e6).round() as u64;
        tape += &format!("packet {us} {STRAP} {}\n", v["hex"].as_str().unwrap());
    }
    let (said, ..) = replay("a.hrvd", &tape, &["--json"]);
    let (r, want) = (result(&said.ends(0)), result(&heard));
    for key in ["rmssd_ms", "ln_rmssd", "mean_hr_bpm", "sdnn_ms", "pnn50_pct", "artifact_pct", "grade", "n"] {
        assert_eq!(r[key], want[key], "{key}");
    }
    assert_eq!((&r["athlete"], &r["strap"], &r["posture"]), (&"alex".into(), &STRAP.into(), &"supine".into()));
    assert_eq!(r["at"].as_str().unwrap().get(..14), Some("2026-11-24T06:"), "dated by the recording's clock");

    // a newer minor version may hold lines that we do not know
    let minor = tape.replacen("#hrvd-recording 1", "#hrvd-recording 1.7", 1).replacen(
        "\nstart",
        "\nacc 1000000 1 2 3\nstart",
        1,
    );
    let (said, ..) = replay("b.hrvd", &minor, &["--json"]);
    let said = said.ends(0).complains("1 line of a newer hrvd was skipped\n");
    assert_eq!(result(&said)["rmssd_ms"], want["rmssd_ms"]);

    // a newer major one is refused
    let (said, file, _dir) = replay("c.hrvd", tape.replacen("#hrvd-recording 1", "#hrvd-recording 2", 1), &["--json"]);
    let want =
        format!("error: {}: line 1: this is a recording of version 2; this program reads version 1\n", file.display());
    assert_eq!(said.ends(2).complains(&want).out, "");

    // damage is named
    let (said, file, _dir) = replay("d.hrvd", format!("{tape}packet 5 {STRAP} 1000\n"), &[]);
    let line = tape.lines().count() + 1;
    said.ends(2).complains(&format!("error: {}: line {line}: time goes back", file.display()));
    let (said, ..) = replay("e.hrvd", format!("{tape}packet 9000000000 {STRAP} 10zz\n"), &[]);
    said.ends(2).complains(&format!("line {line}: "));
    // a header and nothing else
    replay("f.hrvd", "#hrvd-recording 1\n", &[]).0.ends(2).complains("holds no packets");
}

// ---------------------------------------------------------------- help, completions, configuration

// ---------------------------------------------------------------- readiness

#[test]
fn readiness_says_a_verdict_for_a_day_in_a_file() {
    let worked = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/readiness_v1.json");
    let said = run(&["readiness", worked, "--json"]).ends(0);
    let all: Value = serde_json::from_str(&std::fs::read_to_string(worked).unwrap()).unwrap();
    let verdicts = said.objects();
    assert_eq!(verdicts.len(), all["vectors"].as_object().unwrap().len());
    for v in &verdicts {
        assert_eq!(v["level"], all["vectors"][v["name"].as_str().unwrap()]["expected"]["level"], "{v}");
        assert_eq!(v["other_versions"][0]["algo_version"], 2, "{v}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("day.json");
    let day = all["vectors"]["v02_today_low_alone"]["input"].to_string();
    std::fs::write(&file, &day).unwrap();
    let file = file.to_str().unwrap();
    let said = run(&["readiness", file]).ends(0);
    assert!(said.out.contains("CAUTION") && said.out.contains("> GO with an RMSSD of"), "{}", said.out);
    let said = run(&["readiness", file, "--algo", "2", "--language", "de", "--json"]).ends(0);
    assert_eq!((&said.objects()[0]["algo_version"], &said.objects()[0]["level"]), (&2.into(), &"GO".into()));

    for (content, cause) in [
        ("{", "is no JSON"),
        ("[1]", "[0].day: 1 is no object"),
        (r#"{"rhr": [50, 500]}"#, "rhr[1]: 500 lies outside of 20 to 220"),
        (r#"{"rhr": 50, "colour": 1}"#, "colour: no such field"),
        (r#"{"load": [null]}"#, "load[0]: null"),
        (r#"{"hooper_items": [1, 2]}"#, "hooper_items: 2 items"),
    ] {
        std::fs::write(file, content).unwrap();
        let said = run(&["readiness", file]).ends(2);
        assert!(said.err.contains(cause) && said.out.is_empty(), "{content}: {}", said.err);
    }
    run(&["readiness", file, "--algo", "9"]).ends(2);
    run(&["readiness", "/nonexistent"]).ends(2);
}

#[test]
fn help_names_commands_and_exit_codes() {
    let said = run(&["--help"]).ends(0);
    for code in [
        "0  done",
        "1  it went wrong",
        "2  the configuration or the command line",
        "3  the daemon does not answer",
        "4  the check ended",
    ] {
        assert!(said.out.contains(code), "{code} in\n{}", said.out);
    }
    let commands = [
        "run",
        "scan",
        "adopt",
        "forget",
        "release",
        "analyze",
        "readiness",
        "simulate",
        "check",
        "live",
        "replay",
        "demo",
        "export",
        "config",
        "doctor",
        "completions",
    ];
    for command in commands {
        assert!(said.out.contains(&format!("\n  {command} ")), "{command}");
        let help = run(&[command, "--help"]).ends(0);
        assert!(help.out.contains("Usage: hrvd"), "{}", help.out);
    }
    run(&["--version"]).ends(0).says(concat!("hrvd ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_wrong_command_line_ends_with_two() {
    for args in [
        &[][..],
        &["frobnicate"],
        &["run", "--frobnicate"],
        &["run", "-v", "-q"],
        &["adopt", STRAP],
        &["adopt", "nonsense", "--athlete", "alex"],
        &["adopt", STRAP, "--athlete", "Not A Slug"],
        &["forget"],
        &["check", "--posture", "upside-down"],
        &["check", "--cancel", "--posture", "supine"],
        &["scan", "--seconds", "0"],
        &["export"],
        &["export", "everything"],
        &["config"],
        &["completions", "cobol"],
        &["demo", "--speed", "0"],
        &["demo", "--speed", "1000"],
        &["demo", "--speed", "NaN"],
    ] {
        let said = run(args).ends(2);
        assert_eq!(said.out, "", "{args:?}");
        assert!(!said.err.is_empty(), "{args:?}");
    }
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = run(&["completions", shell]).ends(0).says("replay").says("doctor");
        assert_eq!(said.err, "");
    }
}

#[test]
fn config_check_and_show() {
    let home = Home::new();
    home.configure(1883, "[[athlete]]\nslug = \"alex\"");
    home.run(&["config", "check"]).ends(0).says(&format!("valid: {}", home.config().display()));
    let shown = home.run(&["config", "show"]).ends(0);
    assert!(shown.out.contains("live_interval = \"1s\"") && shown.out.contains("[[athlete]]"), "{}", shown.out);
    let origin = home.run(&["config", "show", "--origin"]).ends(0);
    assert!(origin.out.contains(&format!("# {}:2", home.config().display())), "{}", origin.out);
    let json: Value = serde_json::from_str(&home.run(&["config", "show", "--json"]).ends(0).out).unwrap();
    assert_eq!(json["mqtt"]["port"], 1883);

    home.configure(1883, "intervall_live = \"5s\"\n[check]\nrecord = \"5\"\n[[strap]]\naddress = \"x\"");
    let said = home.run(&["config", "check"]).ends(2);
    assert_eq!(said.out, "");
    for needle in ["intervall_live", "record: the duration", "address", &format!("{}:", home.config().display())] {
        assert!(said.err.contains(needle), "{needle} in\n{}", said.err);
    }
    // the same for everybody who reads it, and nothing runs on half a configuration
    for args in
        [&["run"][..], &["scan"], &["check"], &["live"], &["export", "checks"], &["config", "show"], &["doctor"]]
    {
        let said = home.run(args).ends(2);
        assert!(said.err.contains("intervall_live") || args == ["doctor"], "{args:?}: {}", said.err);
    }
    let mut missing = program();
    missing.args(["--config", "/nonexistent/hrvd.toml", "run"]);
    Said::of(missing).ends(2).complains("/nonexistent/hrvd.toml").complains("there is no such file");
}

// ---------------------------------------------------------------- without a daemon

#[test]
fn commands_for_the_daemon_say_that_it_does_not_run() {
    let home = Home::new();
    home.configure(1, "");
    for args in [&["check"][..], &["check", "--cancel"], &["live"], &["live", "--json"]] {
        let said = home.run(args).ends(3);
        assert_eq!(
            said.err,
            format!(
                "error: hrvd is not running (no answer at {})\n\
                 hint: start it: sudo systemctl start hrvd, or hrvd run in another terminal\n",
                home.socket().display()
            )
        );
        assert_eq!(said.out, "");
    }
    // the socket of a daemon that died is no daemon
    drop(std::os::unix::net::UnixListener::bind(home.socket()).unwrap());
    home.run(&["check"]).ends(3).complains("hrvd is not running");
}

#[test]
fn scan_without_a_bus_says_so() {
    let home = Home::new();
    home.configure(1, "");
    let said = home.run(&["scan", "--seconds", "1"]).ends(1).complains("error: ").complains("hint: hrvd doctor");
    assert_eq!(said.out, "");
    assert_eq!(home.run(&["scan", "--seconds", "1", "--json"]).ends(1).out, "");
}

#[test]
fn doctor_with_nothing_running() {
    let home = Home::new();
    home.configure(1, "");
    let said = home.run(&["doctor", "--json"]).ends(1);
    let verdict = |what: &str| {
        let all = said.objects();
        let v = all.iter().find(|v| v["check"] == what).unwrap_or_else(|| panic!("{what} in {}", said.out));
        assert!(v["text"].is_string());
        assert_eq!(v["hint"].is_string(), v["verdict"] != "ok", "a hint exactly where something is wrong: {v}");
        v["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict("configuration"), "ok");
    assert_eq!(verdict("daemon"), "warn");
    assert_eq!(verdict("D-Bus"), "fail");
    assert_eq!(verdict("broker"), "fail");
    assert_eq!(verdict("database"), "ok");
    let words = home.run(&["doctor"]).ends(1).says("fail  broker         127.0.0.1:1: ").says("→ ");
    assert!(!words.out.contains('\x1b'));
    // what is switched off is no failure
    home.configure(1, "enabled = false\n[log]\nlevel = \"warn\"");
    let text = std::fs::read_to_string(home.config()).unwrap().replace("[bluetooth]", "[bluetooth]\nenabled = false");
    std::fs::write(home.config(), text).unwrap();
    let said = home.run(&["doctor", "--json"]).ends(0);
    assert!(said.objects().iter().all(|v| v["verdict"] != "fail"), "{}", said.out);
}

#[test]
fn adopt_and_forget_without_a_daemon_then_export() {
    let home = Home::new();
    home.configure(1, "[[athlete]]\nslug = \"kim\"\n[[strap]]\naddress = \"C0:FF:EE:00:00:01\"\nathlete = \"kim\"");
    // nothing there yet
    home.run(&["export", "checks"]).ends(3).complains("error: nothing is stored");
    home.run(&["forget", STRAP]).ends(3).complains(&format!("error: {STRAP} is not adopted\n"));
    let said = home.run(&["adopt", STRAP, "--athlete", "alex", "--name", "chest strap"]).ends(0);
    assert_eq!(
        said.out,
        format!(
            "{STRAP} is alex's now. Wear it: hrvd connects when it sees it. hrvd is not running; it takes effect at its next start.\n"
        )
    );
    let said = home.run(&["adopt", "c0:ff:ee:00:00:09", "--athlete", "alex", "--json"]).ends(0);
    assert_eq!(said.objects(), [serde_json::json!({"strap": "C0:FF:EE:00:00:09", "daemon": false})]);
    // the configuration's own straps are changed there
    for args in [&["adopt", "C0:FF:EE:00:00:01", "--athlete", "alex"][..], &["forget", "C0:FF:EE:00:00:01"]] {
        home.run(args).ends(2).complains("belongs to kim by the configuration file\nhint: change it there\n");
    }
    home.run(&["forget", STRAP]).ends(0).says("is forgotten; what it recorded stays.");
    home.run(&["forget", STRAP]).ends(3);
    for (what, want) in [
        ("checks", "no check was taken yet"),
        ("recordings", "no recording yet"),
        ("beats", "no recording yet"),
        ("recording", "no recording yet"),
    ] {
        let said = home.run(&["export", what]).ends(3).complains(&format!("error: nothing is stored there: {want}\n"));
        assert_eq!(said.out, "", "{what}");
    }
    // an export of nothing leaves no file
    let file = home.db().with_file_name("x.csv");
    home.run(&["export", "checks", "--output", &file.display().to_string()]).ends(3);
    assert!(!file.exists());
    // what is no database is left alone and named
    std::fs::write(home.db(), "this is no database, but a letter to somebody").unwrap();
    home.run(&["export", "checks"]).ends(1).complains("hrvd.db");
    assert!(std::fs::read_to_string(home.db()).unwrap().starts_with("this is no database"));
}

/// Without rights to the database's folder nobody knows who is adopted: no dashboard without them, no "nothing is stored".
#[test]
fn a_database_that_may_not_be_looked_for_is_not_none() {
    use std::os::unix::process::CommandExt;
    let home = Home::new();
    let state = home.path("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
    std::fs::set_permissions(home.path("."), Permissions::from_mode(0o755)).unwrap();
    let more = format!("[[athlete]]\nslug = \"kim\"\n[store]\npath = \"{}/hrvd.db\"", state.display());
    std::fs::write(home.config(), more).unwrap();
    home.run(&["adopt", STRAP, "--athlete", "alex"]).ends(0);
    assert!(home.run(&["ha", "dashboard"]).ends(0).out.contains("alex"));
    // somebody else, who can reach the program, whatever folder it was built in
    let copy = home.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_hrvd"), &copy).unwrap();
    let root = rustix::process::geteuid().is_root();
    if !root {
        std::fs::set_permissions(&state, Permissions::from_mode(0o000)).unwrap();
    }
    let parts = ["ha dashboard", "ha recorder", "ha blueprints", "ha discovery"];
    for args in parts.into_iter().chain(["export checks", "today", "history", "backup x.db", "athlete export alex"]) {
        let words: Vec<&str> = args.split(' ').collect();
        let mut command = std::process::Command::new(&copy);
        command.env_clear().current_dir("/tmp").arg("--config").arg(home.config()).args(words);
        if root {
            command.uid(65534).gid(65534);
        }
        let said = Said::of(command);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{args}: {}", said.err);
        assert!(said.err.contains("Permission denied") && said.err.contains("hint: use sudo"), "{args}: {}", said.err);
    }
    let _ = std::fs::set_permissions(&state, Permissions::from_mode(0o700));
}

// ---------------------------------------------------------------- streams

#[test]
fn nobody_reading_is_no_failure() {
    let home = Home::new();
    home.configure(1, "");
    let long = ["replay", SAMPLE, "--json"];
    for args in [&long[..], &["config", "show", "--origin"], &["completions", "zsh"], &["--help"], &["replay", SAMPLE]]
    {
        let mut child = home.hrvd(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        // `| head -1`: one line, then gone
        BufReader::with_capacity(64, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty(), "{args:?}");
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status = child.wait().unwrap();
        assert!(!err.contains("panicked") && !err.contains("roken pipe"), "{args:?}: {err}");
        assert_eq!(status.code(), Some(0), "{args:?}: {err}");
    }
    // both streams closed at once: `2>&1 | head -0`
    for args in [&["replay", SAMPLE][..], &long, &["doctor"], &["check"], &["config", "check"]] {
        let mut child = home.hrvd(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        let code = child.wait().unwrap().code();
        // a panic would be 101
        let want: &[i32] = match args[0] {
            "doctor" => &[1],
            "check" => &[3],
            _ => &[0],
        };
        assert!(want.contains(&code.unwrap()), "{args:?}: {code:?}");
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    // `script` gives a program a terminal
    let on_terminal = |variables: &[(&str, &str)], flags: &str| {
        let hrvd = env!("CARGO_BIN_EXE_hrvd");
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &format!("{hrvd} replay {SAMPLE} {flags}"), "/dev/null"]);
        command.env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied()).stdin(Stdio::null());
        match command.output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(e) => panic!("script is missing ({e}); install the package 'bsdutils'"),
        }
    };
    let bold = "\x1b[1mRecording. Keep still";
    assert!(on_terminal(&[], "").contains(bold));
    assert!(on_terminal(&[("NO_COLOR", "")], "").contains(bold), "an empty NO_COLOR asks for nothing");
    for (variables, flags) in [(&[("NO_COLOR", "1")][..], ""), (&[], "--no-color")] {
        let text = on_terminal(variables, flags);
        assert!(
            text.contains("Recording. Keep still") && !text.contains("\x1b[1m") && !text.contains("\x1b[32m"),
            "{text:?}"
        );
    }
}

// ---------------------------------------------------------------- demo

/// Command lines of living processes that name a folder.
fn processes_naming(dir: &Path) -> Vec<String> {
    let mut out = vec![];
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(bytes) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
        if line.contains(dir.to_str().unwrap()) {
            out.push(line);
        }
    }
    out
}

#[test]
fn a_demo_without_intervals_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    for (path, why) in [
        ("/nonexistent/rr.txt".to_owned(), "/nonexistent/rr.txt"),
        (file("words", "812\neight hundred\n"), "line 2: not a number"),
        (file("empty", "# nothing\n"), "no interval in the file"),
    ] {
        let mut command = program();
        command.args(["demo", "--rr", &path]).env("TMPDIR", dir.path()).current_dir(dir.path());
        Said::of(command).ends(1).complains(why);
    }
}

#[test]
fn the_demo_shows_everything_and_leaves_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args(["demo", "--speed", "20"]).env("TMPDIR", tmp.path()).current_dir(tmp.path());
    let said = Said::of(command).ends(0);
    for needle in [
        "Broker at 127.0.0.1:",
        "mqtt hrvd/demo/status online",
        "mqtt homeassistant/device/hrvd_demo_athlete_alex/config (discovery",
        "mqtt homeassistant/device/hrvd_demo_strap_",
        "mqtt hrvd/demo/athlete/alex/live {\"hr\":",
        "Beats arrive.",
        "Recording. Keep still",
        "mqtt hrvd/demo/athlete/alex/event/check {\"event_type\":\"started\"",
        "mqtt hrvd/demo/athlete/alex/morning {\"rmssd\":",
        "{\"event_type\":\"completed\"",
    ] {
        assert!(said.err.contains(needle), "{needle} in\n{}", said.err);
    }
    // the same session as a replay: the same verdict
    let want = run(&["replay", SAMPLE]).ends(0);
    let rmssd = |text: &str| -> f64 {
        let line = text.lines().find(|l| l.starts_with("RMSSD")).unwrap_or_else(|| panic!("RMSSD in {text}"));
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let (demo, replay) = (rmssd(&said.out), rmssd(&want.out));
    assert!((demo - replay).abs() < 0.15 * replay, "{demo} against {replay}");
    assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0, "files left");
    assert_eq!(processes_naming(tmp.path()), Vec::<String>::new());
}

#[test]
fn the_demo_ends_cleanly_when_it_is_interrupted_or_nobody_reads() {
    let tmp = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args(["demo", "--speed", "20", "--json"]).env("TMPDIR", tmp.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert!(serde_json::from_str::<Value>(&first).unwrap()["type"].is_string(), "{first}");
    drop(out);
    // some more lines that nobody takes
    std::thread::sleep(Duration::from_millis(400));
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(child.id() as i32).unwrap(),
        rustix::process::Signal::INT,
    )
    .unwrap();
    let code = wait_for(Duration::from_secs(10), "the demo ends", String::new, || child.try_wait().unwrap()).code();
    assert_eq!(code, Some(4), "no result, and no panic");
    assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0, "files left");
    assert_eq!(processes_naming(tmp.path()), Vec::<String>::new());
}

#[test]
fn the_demo_names_a_broker_that_is_not_there() {
    for (broker, want) in [("127.0.0.1:1", "error: "), ("nonsense", "it takes HOST:PORT")] {
        let tmp = tempfile::tempdir().unwrap();
        let mut command = program();
        command.args(["demo", "--broker", broker]).env("TMPDIR", tmp.path());
        Said::of(command).ends(1).complains(want);
        assert_eq!(std::fs::read_dir(tmp.path()).unwrap().count(), 0);
    }
}
