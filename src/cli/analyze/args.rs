//! Arguments of `hrvd analyze`.

use crate::analyze::{Artifacts, DetectorKind, Options};
use crate::hrv::detrend::LAMBDA;
use crate::hrv::dfa::Variant;
use crate::hrv::welch::Detrend;
use std::path::PathBuf;

/// Arguments of `hrvd analyze`.
#[derive(Clone, Debug, clap::Args)]
pub struct AnalyzeArgs {
    /// RR text (one interval a line, in ms or in seconds; '#' begins a comment) or recordings of ours
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Length of a window, s [default: the whole recording]
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub window: Option<f64>,
    /// Distance from window to window, s [default: the length of one]
    #[arg(long, value_name = "S", value_parser = seconds, requires = "window")]
    pub step: Option<f64>,
    /// What to do with artifacts
    #[arg(long, value_enum, default_value_t = ArtifactsArg::Exclude)]
    pub artifacts: ArtifactsArg,
    /// Who finds artifacts
    #[arg(long, value_enum, default_value_t = DetectorArg::Live)]
    pub detector: DetectorArg,
    /// Which DFA alpha 1
    #[arg(long, value_enum, default_value_t = DfaArg::Exercise)]
    pub dfa: DfaArg,
    /// What to take off before Welch's spectrum: 'none' (but a line a segment), 'priors' or 'priors=LAMBDA' for
    /// smoothness priors, λ 500 unless given
    #[arg(long, value_name = "HOW", value_parser = detrend, default_value = "none")]
    pub detrend: Detrend,
    /// Show the label of every interval: N normal, M missed, X extra, E ectopic, L long, S short, G drop-out
    #[arg(long)]
    pub labels: bool,
    /// Draw tachogram, Poincaré plot and spectrum (one file only)
    #[arg(long, value_name = "OUT.svg")]
    pub plot: Option<PathBuf>,
}

/// `--artifacts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ArtifactsArg {
    /// Measure the series as it is
    Keep,
    /// Leave them out; spectra, DFA and entropy use the corrected series
    Exclude,
    /// Measure the corrected series throughout
    Correct,
}

/// `--detector`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DetectorArg {
    /// Lipponen & Tarvainen 2019, labels as in NeuroKit2
    Kubios,
    /// The detector of the daemon
    Live,
}

/// `--dfa`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DfaArg {
    /// Detrended, weighted scales 3 to 15, as in exercise tools
    Exercise,
    /// Scales 4 to 16, boxes from both ends
    Both,
    /// Scales 4 to 16, boxes from the start
    Fwd,
    /// Scales 4 to 16, boxes that overlap by half
    Half,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if s.is_finite() && s >= 1.0 => Ok(s),
        _ => Err("a number of seconds, at least 1".into()),
    }
}

/// Stiffness up to which rows that are kept from one series to the next are exact.
const STIFFEST: f64 = 10_000.0;

fn detrend(text: &str) -> Result<Detrend, String> {
    if text == "none" {
        return Ok(Detrend::Linear);
    }
    let lambda = match text.strip_prefix("priors") {
        Some("") => Some(LAMBDA),
        Some(rest) => rest.strip_prefix('=').and_then(|s| s.parse().ok()),
        None => None,
    };
    match lambda.filter(|l| (1.0..=STIFFEST).contains(l)) {
        Some(lambda) => Ok(Detrend::SmoothnessPriors(lambda)),
        None => Err(format!("'none', 'priors' or 'priors=LAMBDA' with λ from 1 to {STIFFEST}")),
    }
}

impl AnalyzeArgs {
    pub(super) fn options(&self, untrusted: bool) -> Options {
        Options {
            window_s: self.window,
            step_s: self.step,
            artifacts: match self.artifacts {
                ArtifactsArg::Keep => Artifacts::Keep,
                ArtifactsArg::Exclude => Artifacts::Exclude,
                ArtifactsArg::Correct => Artifacts::Correct,
            },
            detector: match self.detector {
                DetectorArg::Kubios => DetectorKind::Kubios,
                DetectorArg::Live => DetectorKind::Live,
            },
            dfa: match self.dfa {
                DfaArg::Exercise => Variant::Exercise,
                DfaArg::Both => Variant::Both,
                DfaArg::Fwd => Variant::Forward,
                DfaArg::Half => Variant::Half,
            },
            detrend: self.detrend,
            untrusted,
        }
    }
}
