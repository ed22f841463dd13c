//! `hrvd analyze`: every metric of finished recordings, as a table, as JSON, as a picture.

mod args;

pub use args::AnalyzeArgs;

use crate::analyze::{Report, Series, Window, analyze, parse_rr_text, svg};
use crate::hrv::Metric;
use crate::verdict::{FindingId, SmoothingVerdict, Verdict};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::Path;

/// Reads one of our recordings, given its text.
pub type ReadRecording<'a> = &'a dyn Fn(&str) -> Result<(Series, Verdict), String>;

/// What of a verdict says that intervals are not those of the heart.
const NOT_THE_HEARTS: [FindingId; 5] = [
    FindingId::SmoothedRr,
    FindingId::RrFromHeartRate,
    FindingId::RepeatedRr,
    FindingId::RrAheadOfClock,
    FindingId::FlatLine,
];

/// Bad lines that are named for one file; a file of another kind has nothing else.
const MOST_ERRORS: usize = 20;

/// Analyses the files one by one; `false` if any could not be read. `recording` reads a text that begins with
/// `#hrvd-recording`.
pub fn run(
    args: &AnalyzeArgs,
    as_json: bool,
    recording: ReadRecording<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<bool> {
    if args.plot.is_some() && args.files.len() != 1 {
        writeln!(err, "error: --plot draws one file, {} were given", args.files.len())?;
        return Ok(false);
    }
    let mut fine = true;
    for path in &args.files {
        let (series, source) = match read(path, recording) {
            Ok(read) => read,
            Err(lines) => {
                for line in lines.iter().take(MOST_ERRORS) {
                    writeln!(err, "error: {line}")?;
                }
                if let Some(more @ 1..) = lines.len().checked_sub(MOST_ERRORS) {
                    writeln!(err, "error: {}: and {more} more", path.display())?;
                }
                fine = false;
                continue;
            }
        };
        let untrusted = source
            .as_ref()
            .is_some_and(|v| matches!(v.smoothing, SmoothingVerdict::Smoothed | SmoothingVerdict::FromHeartRate));
        let found = source.iter().flat_map(|v| &v.findings).map(|f| f.id);
        for id in found.filter(|id| NOT_THE_HEARTS.contains(id)) {
            writeln!(err, "warning: {}: {}: {}", path.display(), id.as_str(), id.sentence())?;
        }
        let report = analyze(&series, &args.options(untrusted));
        if as_json {
            writeln!(out, "{}", report_json(path, &report, source.as_ref(), args.labels))?;
        } else {
            table(out, path, &report, args.labels)?;
        }
        if let Some(plot) = &args.plot {
            if let Err(e) = std::fs::write(plot, svg(&path.display().to_string(), &series, &report)) {
                writeln!(err, "error: {}: cannot be written: {e}", plot.display())?;
                fine = false;
            }
        }
    }
    Ok(fine)
}

fn read(path: &Path, recording: ReadRecording<'_>) -> Result<(Series, Option<Verdict>), Vec<String>> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|e| vec![format!("{name}: cannot be read: {e}")])?;
    let text = String::from_utf8(bytes)
        .map_err(|e| vec![format!("{name}: byte {} is no UTF-8, so it is no text", e.utf8_error().valid_up_to())])?;
    if text.starts_with("#hrvd-recording") {
        let (series, source) = recording(&text).map_err(|e| vec![format!("{name}: {e}")])?;
        return Ok((series, Some(source)));
    }
    let series = parse_rr_text(&text).map_err(|e| e.iter().map(|e| format!("{name}: {e}")).collect::<Vec<_>>())?;
    Ok((series, None))
}

/// One object a file.
fn report_json(path: &Path, report: &Report, source: Option<&Verdict>, labels: bool) -> Value {
    let mut o = json!({
        "file": path.display().to_string(),
        "n": report.n,
        "duration_s": report.duration_s,
        "windows": report.windows.iter().map(window_json).collect::<Vec<_>>(),
    });
    if let Some(v) = source {
        let findings: Vec<&str> = v.findings.iter().map(|f| f.id.as_str()).collect();
        o["source"] = json!({"units": v.units.as_str(), "smoothing": v.smoothing.as_str(), "findings": findings});
    }
    if labels {
        o["labels"] = Value::from(report.labels.as_str());
    }
    o
}

fn window_json(w: &Window) -> Value {
    let mut o = json!({
        "start_s": w.start_s,
        "length_s": w.length_s,
        "n": w.n,
        "artifact_pct": w.artifact_pct,
        "coverage": w.coverage,
        "grade": w.grade.as_str(),
    });
    if let Some(s) = w.stretch {
        let (start, length) = (s.start_s, s.length_s);
        o["stretch"] = json!({"start_s": start, "length_s": length, "n": s.n, "artifact_pct": s.artifact_pct});
    }
    let mut why = Map::new();
    for (name, metric) in w.metrics() {
        if let Err(reason) = metric {
            why.insert(name.to_owned(), Value::from(reason.as_str()));
        }
        match name.split_once('.') {
            Some((group, part)) => o[group][part] = json!(metric.ok()),
            None => o[name] = json!(metric.ok()),
        }
    }
    o["why"] = Value::Object(why);
    o
}

fn table(out: &mut dyn Write, path: &Path, report: &Report, labels: bool) -> io::Result<()> {
    let flagged = report.labels.chars().filter(|l| *l != 'N').count();
    writeln!(out, "{}: {} intervals, {:.1} s, {flagged} flagged", path.display(), report.n, report.duration_s)?;
    writeln!(
        out,
        "{:>8} {:>7} {:>6} {:>5} {:>5} {:>7} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7} {:>5} {:>6} {:>6} {:>6}",
        "start s",
        "len s",
        "n",
        "art%",
        "grade",
        "mean RR",
        "HR",
        "RMSSD",
        "SDNN",
        "pNN50",
        "LF",
        "HF",
        "a1",
        "SampEn",
        "SI",
        "breath"
    )?;
    for w in &report.windows {
        let t = &w.time;
        writeln!(
            out,
            "{:>8.0} {:>7.1} {:>6} {:>5} {:>5} {:>7} {:>6} {:>6} {:>6} {:>6} {:>7} {:>7} {:>5} {:>6} {:>6} {:>6}",
            w.start_s,
            w.length_s,
            w.n,
            w.artifact_pct.map_or("-".into(), |p| format!("{p:.1}")),
            w.grade.as_str(),
            cell(t.mean_rr_ms, 1),
            cell(t.mean_hr_bpm, 1),
            cell(t.rmssd_ms, 1),
            cell(t.sdnn_ms, 1),
            cell(t.pnn50_pct, 1),
            cell(w.welch.lf_ms2, 0),
            cell(w.welch.hf_ms2, 0),
            cell(w.dfa_alpha1, 2),
            cell(w.sample_entropy, 2),
            cell(w.stress_index, 0),
            cell(w.breathing_per_min, 0)
        )?;
    }
    let mut missing: Vec<String> = Vec::new();
    for (name, reason) in report.windows.iter().flat_map(Window::metrics).filter_map(|(n, m)| Some((n, m.err()?))) {
        let line = format!("{name} {reason}");
        if !missing.contains(&line) {
            missing.push(line);
        }
    }
    if !missing.is_empty() {
        writeln!(out, "  '-' where the data do not allow a number: {}", missing.join(", "))?;
    }
    if labels {
        writeln!(out, "{}", report.labels)?;
    }
    Ok(())
}

fn cell(metric: Metric, digits: usize) -> String {
    metric.map_or("-".into(), |v| format!("{v:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Mono;
    use crate::verdict::Judge;
    use clap::Parser;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        args: AnalyzeArgs,
    }

    fn invoke(as_json: bool, args: &[&str]) -> (bool, String, String) {
        let args = Wrapper::try_parse_from(std::iter::once("analyze").chain(args.iter().copied())).unwrap().args;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let recording = |_: &str| {
            Ok((
                Series { rr_ms: vec![900.0, 910.0, 905.0], gaps: vec![(2, 3.0)] },
                Judge::new().verdict(Mono::default()),
            ))
        };
        let fine = run(&args, as_json, &recording, &mut out, &mut err).unwrap();
        (fine, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn file(dir: &tempfile::TempDir, name: &str, text: &str) -> String {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    #[test]
    fn json_has_every_key_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let text: String = (0..340).map(|i| format!("{}\n", 880 + (i * 37) % 71)).collect();
        let path = file(&dir, "a.txt", &text);
        let (fine, out, err) = invoke(true, &[&path, "--labels", "--window", "120", "--step", "60"]);
        assert!(fine && err.is_empty(), "{err}");
        let v: Value = serde_json::from_str(out.trim()).unwrap();
        assert_eq!((v["n"].as_u64(), v["labels"].as_str().map(str::len)), (Some(340), Some(340)));
        let w = &v["windows"][1];
        assert_eq!(
            (w["start_s"].as_f64(), w["length_s"].as_f64(), w["grade"].as_str()),
            (Some(60.0), Some(120.0), Some("good"))
        );
        for key in [
            "n",
            "artifact_pct",
            "coverage",
            "mean_rr_ms",
            "mean_hr_bpm",
            "sdnn_ms",
            "rmssd_ms",
            "ln_rmssd",
            "sdsd_ms",
            "pnn50_pct",
            "pnn20_pct",
            "sd1_ms",
            "sd2_ms",
            "dfa_alpha1",
        ] {
            assert!(w[key].is_number(), "{key}: {}", w[key]);
        }
        assert!(w["welch"]["hf_ms2"].is_number() && w["lomb"]["hf_ms2"].is_number());
        assert!(w["sample_entropy"].is_null() && w["welch"]["lf_ms2"].is_null());
        assert_eq!(
            (w["why"]["sample_entropy"].as_str(), w["why"]["welch.lf_ms2"].as_str()),
            (Some("too_few"), Some("too_short"))
        );
    }

    #[test]
    fn one_bad_file_does_not_stop_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let bad = file(&dir, "bad.txt", "900\nx\n");
        let good = file(&dir, "good.hrvd", "#hrvd-recording 1\n");
        let (fine, out, err) = invoke(false, &[&bad, &good, "/nowhere/at/all"]);
        assert!(!fine);
        assert!(
            err.contains("bad.txt: line 2: not a number: 'x'") && err.contains("/nowhere/at/all: cannot be read"),
            "{err}"
        );
        assert!(out.contains("good.hrvd: 3 intervals, 5.7 s, 0 flagged"), "{out}");
    }

    #[test]
    fn welch_can_do_without_the_trend() {
        let dir = tempfile::tempdir().unwrap();
        let text: String = (0..380).map(|i| format!("{}\n", 780 + i / 3 + (i * 37) % 71)).collect();
        let path = file(&dir, "a.txt", &text);
        let bands = |how: &[&str]| {
            let (fine, out, _) = invoke(true, &[&[path.as_str()], how].concat());
            assert!(fine);
            let v: Value = serde_json::from_str(out.trim()).unwrap();
            ["vlf_ms2", "hf_ms2"].map(|b| v["windows"][0]["welch"][b].as_f64().unwrap())
        };
        let (plain, priors) = (bands(&[]), bands(&["--detrend", "priors"]));
        assert!(priors[0] < 0.5 * plain[0] && (priors[1] / plain[1] - 1.0).abs() < 0.01, "{plain:?} {priors:?}");
        assert_eq!(bands(&["--detrend=priors=500"]), priors);
        assert_eq!(bands(&["--detrend=none"]), plain);
        assert!(bands(&["--detrend=priors=5"])[1] < 0.9 * priors[1]);
        for bad in ["prior", "priors=", "priors=x", "priors=0", "priors=1e9", "priors500"] {
            assert!(Wrapper::try_parse_from(["analyze", "--detrend", bad, "a"]).is_err(), "{bad}");
        }
    }

    #[test]
    fn draws_one_file_only() {
        let dir = tempfile::tempdir().unwrap();
        let a = file(&dir, "a.txt", "900\n910\n");
        let plot = dir.path().join("a.svg").display().to_string();
        assert!(invoke(false, &[&a, "--plot", &plot]).0);
        assert!(std::fs::read_to_string(&plot).unwrap().starts_with("<svg"));
        assert!(!invoke(false, &[&a, &a, "--plot", &plot]).0);
    }
}
