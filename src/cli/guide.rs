//! The guided check on a terminal: one progress bar, the live pulse, what would help, and the result in words.
//!
//! It reads the JSON of `crate::json`, so that it shows a check of the daemon, of a replay and of the demo alike.

use super::terminal::talk;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// Colours and a moving bar, or plain lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// ANSI colours are welcome.
    pub(super) colour: bool,
    /// Standard error is a terminal: the bar may move.
    pub(super) moving: bool,
}

impl Look {
    /// What standard error can show; `NO_COLOR` and `--no-color` are honoured.
    pub(super) fn of_stderr(no_colour: bool) -> Self {
        use std::io::IsTerminal;
        let moving = std::io::stderr().is_terminal();
        Self { colour: moving && !no_colour && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()), moving }
    }

    /// What standard output can show.
    pub(super) fn of_stdout(no_colour: bool) -> Self {
        use std::io::IsTerminal;
        let moving = std::io::stdout().is_terminal();
        Self { colour: moving && !no_colour && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()), moving }
    }

    /// Less important text.
    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Text in a colour, where there are colours.
    pub(super) fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Shows one athlete's check.
#[derive(Debug)]
pub(super) struct Guide {
    look: Look,
    bar: ProgressBar,
    phase: String,
}

impl Guide {
    /// A guide that draws on standard error.
    pub(super) fn new(look: Look) -> Self {
        let target = if look.moving { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(100), target);
        let template = if look.colour {
            "{prefix:>10.bold} {bar:30.cyan/blue} {percent:>3}%  {msg}"
        } else {
            "{prefix:>10} {bar:30} {percent:>3}%  {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { look, bar, phase: String::new() }
    }

    /// Prints a line beside the bar without tearing it.
    pub(super) fn say(&self, line: &str) {
        if self.look.moving { self.bar.suspend(|| talk(line)) } else { talk(line) }
    }

    /// Takes one JSON output; returns whether the check is over.
    pub(super) fn see(&mut self, v: &Value) -> bool {
        match v["type"].as_str() {
            Some("check") => self.see_check(v),
            Some("strap") => {
                if self.phase == "waiting_for_strap" {
                    self.bar.set_message(format!("strap: {}", v["link"].as_str().unwrap_or("?").replace('_', " ")));
                }
                false
            }
            _ => false,
        }
    }

    fn see_check(&mut self, v: &Value) -> bool {
        let phase = v["phase"].as_str().unwrap_or_default();
        if phase != self.phase {
            phase.clone_into(&mut self.phase);
            let line = match phase {
                "waiting_for_strap" => "Waiting for the strap. Wet the pads, put it on, lie or sit as always.",
                "settling" => "Beats arrive. Breathe as you like; the first minute is not counted.",
                "recording" => "Recording. Keep still and let it happen.",
                _ => "",
            };
            if !line.is_empty() {
                self.say(&self.look.paint("1", line));
            }
        }
        self.bar.set_prefix(match phase {
            "waiting_for_strap" => "waiting",
            "settling" => "settling",
            "recording" => "recording",
            _ => "",
        });
        self.bar.set_position(v["percent"].as_u64().unwrap_or(0));
        let mut parts = vec![];
        if let Some(s) = v["seconds_left"].as_u64() {
            parts.push(format!("{s} s left"));
        }
        if let Some(hr) = v["hr_bpm"].as_u64() {
            parts.push(format!("♥ {hr}"));
        }
        if let Some(pct) = v["clean_pct"].as_f64() {
            parts.push(format!("{pct:.0} % clean"));
        }
        let hint = v["hint"].as_str().map(hint_words);
        if let Some(h) = hint {
            parts.push(self.look.paint("33", h));
        }
        self.bar.set_message(parts.join(" · "));
        if !self.look.moving {
            self.plain(v);
        }
        match phase {
            "done" => self.bar.finish_and_clear(),
            "aborted" => {
                self.bar.finish_and_clear();
                let cause = v["cause"].as_str().map_or("", cause_words);
                self.say(&self.look.paint("33", &format!("No result: {cause}")));
            }
            _ => return false,
        }
        true
    }

    /// Without a terminal: a line every 15 s.
    fn plain(&self, v: &Value) {
        let (left, percent) = (v["seconds_left"].as_u64().unwrap_or(0), v["percent"].as_u64().unwrap_or(0));
        if matches!(self.phase.as_str(), "settling" | "recording") && left % 15 == 0 && v["changed"] == false {
            talk(&format!("{:>10} {percent:>3}%  {}", self.phase, self.bar.message()));
        }
    }
}

/// A result as a person reads it.
pub(super) fn result_words(look: Look, v: &Value) -> String {
    let f = |key: &str| v[key].as_f64();
    let mut out = String::new();
    let grade = v["grade"].as_str().unwrap_or("?");
    let colour = match grade {
        "good" => "32",
        "fair" => "36",
        "poor" => "33",
        _ => "31",
    };
    let quality = look.paint(colour, &grade_words(grade));
    match (f("rmssd_ms"), f("ln_rmssd"), f("mean_hr_bpm"), f("sdnn_ms"), f("pnn50_pct")) {
        (Some(rmssd), Some(ln), Some(hr), Some(sdnn), Some(pnn50)) => {
            let rmssd = look.paint("1", &format!("{rmssd:.1} ms"));
            out.push_str(&format!("RMSSD      {rmssd}  (ln {ln:.2})\n"));
            out.push_str(&format!("Heart rate {hr:.1} bpm\nSDNN       {sdnn:.1} ms\npNN50      {pnn50:.1} %\n"));
        }
        _ => {
            let why = v["why"].as_str().unwrap_or("unknown");
            out.push_str(&format!("No number: {}. {}\n", why.replace('_', " "), what_to_do(why)));
        }
    }
    let share = f("artifact_pct").unwrap_or(0.0);
    let n = v["n"].as_u64().unwrap_or(0);
    out.push_str(&format!("Quality    {quality}: {n} intervals, {share:.1} % left out"));
    let gap = f("gap_s").unwrap_or(0.0);
    if gap > 0.0 {
        out.push_str(&format!(", {gap:.0} s drop-out"));
    }
    out.push('\n');
    for note in v["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        out.push_str(&format!("Note       {}\n", note_words(note)));
    }
    out
}

fn grade_words(grade: &str) -> String {
    match grade {
        "good" => "good".into(),
        "fair" => "fair, usable".into(),
        "poor" => "poor, shown but not for comparison".into(),
        "bad" => "bad, no number".into(),
        other => other.into(),
    }
}

fn what_to_do(why: &str) -> &'static str {
    match why {
        "smoothed_rr" | "rr_from_heart_rate" => "Its sensor does not measure single beats; HRV needs a chest strap.",
        "repeated_rr" | "doubled_beats" => "More beats come than time passes; hrvd doctor says more.",
        "flat_line" => "The strap hangs: unclip it from its belt for a minute.",
        "units_unknown" => "It seems to send ms and not 1/1024 s. That is settled in a few minutes; then try again.",
        _ => "Wet the pads, tighten the strap, try again.",
    }
}

fn note_words(note: &str) -> &str {
    match note {
        "not_settled" => "the two halves differ: you had not settled yet",
        "slow_breathing" => "slow breathing raises RMSSD: do not compare with other days",
        "extended" => "recorded longer because clean time was short",
        "gap" => "the strap dropped out in between",
        "units_unproven" => "too early to tell whether this strap sends 1/1024 s or ms: up to 2.3 % may be off",
        other => other,
    }
}

fn hint_words(hint: &str) -> &str {
    match hint {
        "put_on_strap" => "put the strap on",
        "wet_the_pads" => "wet the pads",
        "keep_still" => "keep still",
        "come_closer" => "come closer to the gateway",
        other => other,
    }
}

/// Why a check ended without a result.
pub(super) fn cause_words(cause: &str) -> &str {
    match cause {
        "no_strap" => "no strap delivered anything. Is it wet, worn and free of other devices?",
        "strap_lost" => "the strap went away and did not come back.",
        "no_rr" => "this source sends heart rate but no RR intervals.",
        "cancelled" => "cancelled.",
        "removed" => "the athlete or the strap was removed.",
        other => other,
    }
}
