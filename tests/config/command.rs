//! `hrvd config` and `hrvd completions` as somebody types them.

use crate::{Case, snapshot};
use clap::Parser;
use hrvd::cli::{Cli, Exit, Terminal, offline};

/// Runs a command on a case: exit code, stdout, stderr.
fn run(case: &Case, args: &[&str]) -> (Exit, String, String) {
    let file = case.path().join("hrvd.toml").display().to_string();
    let mut words = vec!["hrvd", "--config", &file];
    words.extend(args);
    let cli = Cli::try_parse_from(words).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal { out: &mut out, err: &mut err, json: cli.global.json };
    let exit = offline(&cli, &case.around, &mut terminal).unwrap();
    (exit, case.hide(&String::from_utf8(out).unwrap()), case.hide(&String::from_utf8(err).unwrap()))
}

fn family() -> Case {
    Case::new(
        "[gateway]\nid = \"hall\"\n[mqtt]\nport = 1884\n[[athlete]]\nslug = \"alex\"\nname = \"Alex \\\"A\\\"\"\n\
         [[athlete]]\nslug = \"sam\"\nwake_window = { to = \"11:00\" }\n",
    )
    .file("conf.d/straps.toml", "[[strap]]\naddress = \"a09e1a9f6e53\"\nathlete = \"alex\"\n")
    .var("HRVD__CHECK__WAIT", "10m")
}

#[test]
fn check_says_yes() {
    assert_eq!(
        run(&family(), &["config", "check"]),
        (Exit::Done, "valid: DIR/hrvd.toml, DIR/conf.d/straps.toml\n".into(), String::new())
    );
}

#[test]
fn check_says_yes_with_a_warning() {
    let (exit, out, err) = run(&Case::new("mqtt.port = 8883\n"), &["config", "check"]);
    assert_eq!((exit, out.as_str()), (Exit::Done, "valid: DIR/hrvd.toml (1 warning)\n"));
    assert!(err.starts_with("warning: port 8883 is the TLS port"), "{err}");
}

/// Scripts around the program have variables too; a name that only lacks an underscore is refused (`refusals`).
#[test]
fn a_variable_that_no_setting_has_is_a_warning() {
    let (exit, out, err) = run(&Case::new("").var("HRVD_PACKAGE_REQUIRED", "1"), &["config", "check"]);
    assert_eq!((exit, out.as_str()), (Exit::Done, "valid: DIR/hrvd.toml (1 warning)\n"));
    assert!(err.starts_with("warning: unknown variable HRVD_PACKAGE_REQUIRED"), "{err}");
}

#[test]
fn check_says_no() {
    let (exit, out, err) = run(&Case::new("mqtt.port = 0\nx = 1\n"), &["config", "check"]);
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    assert!(err.contains("port 0 is out of range") && err.contains("unknown key 'x'"), "{err}");
    assert!(err.ends_with("\n2 errors\n"), "{err}");
}

#[test]
fn check_in_json() {
    let (exit, out, err) = run(&Case::new("mqtt.port = 0\n").var("HRVD__X", "1"), &["config", "check", "--json"]);
    assert_eq!((exit, err.as_str()), (Exit::Usage, ""));
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["valid"], false);
    snapshot!(format!("{value:#}"));
}

#[test]
fn show_with_origins() {
    let (exit, out, err) = run(&family(), &["config", "show", "--origin", "-v"]);
    assert_eq!((exit, err.as_str()), (Exit::Done, ""));
    snapshot!(out);
}

#[test]
fn show_in_json() {
    let (exit, out, _) = run(&family(), &["config", "show", "--json"]);
    assert_eq!(exit, Exit::Done);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["mqtt"]["port"], 1884);
    assert_eq!(value["mqtt"]["tls"]["enabled"], false);
    assert_eq!(value["athlete"][1]["wake_window"]["to"], "11:00");
    assert_eq!(value["strap"][0]["address"], "A0:9E:1A:9F:6E:53");
    let (_, out, _) = run(&family(), &["config", "show", "--json", "--origin"]);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["mqtt"]["port"]["value"], 1884);
    assert_eq!(value["mqtt"]["port"]["origin"]["line"], 4);
    assert_eq!(value["check"]["wait"]["origin"]["variable"], "HRVD__CHECK__WAIT");
    let (_, out, _) = run(&Case::new(""), &["config", "show", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["athlete"], serde_json::json!([]));
}

#[test]
fn what_show_prints_can_be_loaded_again() {
    let case = family();
    for args in [&["config", "show"][..], &["config", "show", "--origin"]] {
        let (_, out, _) = run(&case, args);
        assert_eq!(Case::new(&out).ok().config, case.ok().config, "{out}");
    }
}

#[test]
fn show_refuses_what_run_would_refuse() {
    let (exit, out, err) = run(&Case::new("mqtt.port = 0\n"), &["config", "show"]);
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    assert!(err.contains("the configuration has 1 error"), "{err}");
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (exit, out, err) = run(&Case::new(""), &["completions", shell]);
        assert_eq!((exit, err.as_str()), (Exit::Done, ""));
        for word in ["adopt", "doctor", "--posture", "supine"] {
            let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
            // elvish and PowerShell do not complete values.
            if word != "supine" || matches!(shell, "bash" | "zsh" | "fish") {
                assert!(out.contains(word), "{shell} lacks {word}");
            }
        }
    }
}
