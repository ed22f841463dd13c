//! Shared by the signal tests: where the reference data lies, series with inserted artifacts and their truth, scoring.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod unfamiliar;

use hrvd::artifact::Label;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The shared reference data: `HRVD_SHARED`, else `../shared` seen from the repository. Absent is an error in CI.
pub fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = std::env::var_os("HRVD_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    if dir.join("rr/reference.json").is_file() {
        return Some(dir);
    }
    assert!(
        std::env::var_os("CI").is_none_or(|v| v != "true"),
        "CI needs the shared reference data at {}",
        dir.display()
    );
    eprintln!("skipped: no shared reference data at {} (set HRVD_SHARED)", dir.display());
    None
}

/// RR intervals in ms, one a line.
pub fn read_rr(path: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().filter(|l| !l.trim().is_empty()).map(|l| l.trim().parse().unwrap()).collect()
}

/// A recording inside the project.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A series with inserted artifacts.
pub struct Series {
    pub name: String,
    pub scenario: String,
    pub clean: Vec<f64>,
    pub rr: Vec<f64>,
    /// Kind, first and last interval of each event. Kind G: the transport reported a gap before the first interval.
    pub events: Vec<(char, usize, usize)>,
}

impl Series {
    /// Splits at reported gaps, as the transport would.
    pub fn segments(&self) -> Vec<&[f64]> {
        let mut cuts: Vec<usize> = self.events.iter().filter(|e| e.0 == 'G').map(|e| e.1).collect();
        cuts.insert(0, 0);
        cuts.push(self.rr.len());
        cuts.windows(2).map(|w| &self.rr[w[0]..w[1]]).collect()
    }
}

/// The series of `rr/artifacts`.
pub fn shared_artifacts(shared: &Path) -> Vec<Series> {
    let dir = shared.join("rr/artifacts");
    let text = std::fs::read_to_string(dir.join("truth.json")).unwrap();
    let truth: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut out = Vec::new();
    for (name, t) in truth.as_object().unwrap() {
        let tsv = std::fs::read_to_string(dir.join(format!("{name}.tsv"))).unwrap();
        let rr = tsv.lines().skip(1).map(|l| l.split('\t').nth(1).unwrap().parse().unwrap()).collect();
        let events = t["events"].as_array().unwrap().iter().map(|e| {
            let ix = |k: usize| e["rr_index"][k].as_u64().unwrap() as usize;
            (e["type"].as_str().unwrap().chars().next().unwrap(), ix(0), ix(1))
        });
        out.push(Series {
            name: name.clone(),
            scenario: t["scenario"].as_str().unwrap().to_owned(),
            clean: read_rr(&dir.join(t["clean"].as_str().unwrap())),
            rr,
            events: events.collect(),
        });
    }
    out
}

/// xorshift64*: small, repeatable.
pub struct Rng(pub u64);
impl Rng {
    pub fn new(seed: u64) -> Self {
        let mut r = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            r.unit();
        }
        r
    }
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
    pub fn between(&mut self, a: f64, b: f64) -> f64 {
        a + (b - a) * self.unit()
    }
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
    pub fn sign(&mut self) -> f64 {
        if self.unit() < 0.5 { -1.0 } else { 1.0 }
    }
}

/// A heart that breathes: RSA, a 0.1-Hz wave, slow drift, white jitter; quantised as a strap does.
#[derive(Clone, Copy)]
pub struct Heart {
    pub mean_ms: f64,
    pub rsa_ms: f64,
    pub breaths_per_min: f64,
    pub wave_ms: f64,
    pub drift_ms: f64,
    pub jitter_ms: f64,
    /// Breath-to-breath irregularity of rate and depth, 0..0.3.
    pub irregular: f64,
}

impl Heart {
    pub fn beat(self, seconds: f64, seed: u64) -> Vec<f64> {
        let mut r = Rng::new(seed);
        let (mut t, mut breath, mut rate, mut depth, mut drift) = (0.0, r.unit(), 1.0, 1.0, 0.0);
        let wave0 = r.unit();
        let mut out = Vec::new();
        while t < seconds {
            let tau = std::f64::consts::TAU;
            drift = 0.97 * drift + 0.24 * r.normal();
            let x = self.mean_ms
                + depth * self.rsa_ms * ((tau * breath).sin() + 0.25 * (2.0 * tau * breath).sin())
                + self.wave_ms * (tau * (0.095 * t + wave0)).sin()
                + self.drift_ms * drift
                + self.jitter_ms * r.normal();
            let x = (x.clamp(310.0, 1950.0) * 1.024).round() / 1.024;
            out.push(x);
            t += x / 1000.0;
            let before: f64 = breath;
            breath += x / 60_000.0 * self.breaths_per_min * rate;
            if breath.floor() > before.floor() {
                rate = (1.0 + self.irregular * r.normal()).clamp(0.6, 1.6);
                depth = (1.0 + self.irregular * r.normal()).clamp(0.3, 1.8);
            }
        }
        out
    }
}

/// Simulated hearts from exercise to strong RSA.
pub fn hearts() -> Vec<(&'static str, Heart)> {
    let h = |mean_ms, rsa_ms, breaths_per_min, wave_ms, drift_ms, jitter_ms, irregular| Heart {
        mean_ms,
        rsa_ms,
        breaths_per_min,
        wave_ms,
        drift_ms,
        jitter_ms,
        irregular,
    };
    vec![
        ("run170", h(352.0, 1.0, 42.0, 0.5, 3.0, 1.0, 0.1)),
        ("ride130", h(460.0, 3.0, 28.0, 2.0, 6.0, 1.5, 0.1)),
        ("flat60", h(1000.0, 3.0, 15.0, 3.0, 6.0, 2.0, 0.15)),
        ("elder70", h(850.0, 8.0, 16.0, 8.0, 12.0, 4.0, 0.15)),
        ("rest65", h(920.0, 30.0, 14.0, 18.0, 20.0, 6.0, 0.15)),
        ("rest55", h(1090.0, 60.0, 13.0, 25.0, 25.0, 8.0, 0.2)),
        ("rsa120", h(1180.0, 120.0, 12.0, 25.0, 30.0, 10.0, 0.15)),
        ("rsa180", h(1250.0, 170.0, 11.0, 30.0, 35.0, 12.0, 0.12)),
        ("rsaslow", h(1000.0, 110.0, 6.0, 15.0, 20.0, 8.0, 0.1)),
        ("rsafast", h(950.0, 90.0, 18.0, 15.0, 20.0, 10.0, 0.15)),
    ]
}

/// Stretches without an obvious artifact: every interval within 20 % of its local median.
pub fn clean_stretches(rr: &[f64], length_s: f64, every_s: f64, at_most: usize) -> Vec<Vec<f64>> {
    let mut out = Vec::new();
    let (mut i, mut next, mut t) = (0, 0.0, 0.0);
    while i < rr.len() && out.len() < at_most {
        if t >= next {
            let mut s = 0.0;
            let seg: Vec<f64> = rr[i..]
                .iter()
                .copied()
                .take_while(|x| {
                    s += x;
                    s <= 1000.0 * length_s
                })
                .collect();
            let ok = s > 1000.0 * length_s
                && (0..seg.len()).all(|k| {
                    let mut w = seg[k.saturating_sub(5)..(k + 6).min(seg.len())].to_vec();
                    w.sort_by(f64::total_cmp);
                    let m = w[w.len() / 2];
                    (seg[k] / m - 1.0).abs() < 0.2
                });
            if ok {
                out.push(seg);
                next = t + every_s;
            }
        }
        t += rr[i] / 1000.0;
        i += 1;
    }
    out
}

pub const SCENARIOS: [&str; 10] =
    ["clean", "missed2", "extra2", "ectopic2", "misalign_small2", "longshort2", "mixed1", "mixed5", "mixed10", "burst"];

/// Inserts the artifacts of a scenario into a clean series.
pub fn insert(name: &str, clean: &[f64], scenario: &str, seed: u64) -> Series {
    let mut r = Rng::new(seed);
    let share = match scenario {
        "clean" => 0.0,
        "mixed1" => 0.01,
        "mixed5" | "all5" => 0.05,
        "mixed10" => 0.10,
        "burst" => 0.0105,
        _ => 0.02,
    };
    let n = clean.len();
    let want = (share * n as f64).round() as usize;
    let slots: Vec<usize> = (0..(n - 20) / 5).map(|k| 10 + 5 * k).collect();
    let mut picked = vec![false; slots.len()];
    let mut left = want;
    while left > 0 {
        let k = (r.unit() * slots.len() as f64) as usize;
        if !picked[k] {
            picked[k] = true;
            left -= 1;
        }
    }
    let (mut rr, mut events) = (Vec::new(), Vec::new());
    let mut i = 0;
    while i < n {
        let hit = slots.iter().position(|&s| s + 2 == i).is_some_and(|k| picked[k]);
        if !hit {
            rr.push(clean[i]);
            i += 1;
            continue;
        }
        let kind = match scenario {
            "missed2" => 'M',
            "extra2" => 'X',
            "ectopic2" => 'E',
            "misalign_small2" => 'e',
            "longshort2" => {
                if r.unit() < 0.5 {
                    'L'
                } else {
                    'S'
                }
            }
            "burst" => 'B',
            "all5" => ['M', 'X', 'E', 'L', 'S', 'e'][(r.unit() * 6.0) as usize],
            _ => ['M', 'X', 'E', 'L', 'S', 'e'][((r.unit() * 5.0) as usize).min(5)],
        };
        let at = rr.len();
        let (a, b) = (clean[i], clean[i + 1]);
        match kind {
            'M' => {
                rr.push(a + b);
                i += 2;
            }
            'X' => {
                let f = r.between(0.35, 0.65);
                rr.push(a * f);
                rr.push(a * (1.0 - f));
                i += 1;
            }
            'E' | 'e' => {
                let f = if kind == 'E' { -r.between(0.2, 0.4) } else { r.sign() * r.between(0.06, 0.14) };
                let d = f * a;
                rr.push(a + d);
                rr.push(b - d);
                i += 2;
            }
            'L' => {
                rr.push((a * r.between(1.2, 1.7)).min(2400.0));
                i += 1;
            }
            'S' => {
                rr.push(a * r.between(0.55, 0.75));
                i += 1;
            }
            _ => {
                for k in 0..4 {
                    rr.push(clean[i + k] * r.between(0.2, 1.8));
                }
                i += 4;
            }
        }
        events.push((kind, at, rr.len() - 1));
    }
    Series { name: format!("{name}__{scenario}"), scenario: scenario.into(), clean: clean.to_vec(), rr, events }
}

pub fn rmssd_of(d: &[f64]) -> f64 {
    (d.iter().map(|d| d * d).sum::<f64>() / d.len() as f64).sqrt()
}

/// RMSSD over usable pairs: both normal, neither right after a flagged interval.
pub fn rmssd_excluding(segments: &[&[f64]], labels: &[Vec<Label>]) -> f64 {
    let mut d = Vec::new();
    for (rr, lab) in segments.iter().zip(labels) {
        let bad = |i: usize| !lab[i].is_normal() || (i > 0 && !lab[i - 1].is_normal());
        for i in 1..rr.len() {
            if !bad(i) && !bad(i - 1) {
                d.push(rr[i] - rr[i - 1]);
            }
        }
    }
    rmssd_of(&d)
}

/// Counts over many series.
#[derive(Default)]
pub struct Score {
    pub hits: usize,
    pub events: usize,
    pub false_runs: usize,
    pub beats: usize,
    pub clean_false: usize,
    pub clean_beats: usize,
    pub kinds: BTreeMap<char, (usize, usize)>,
    pub errors: BTreeMap<String, Vec<f64>>,
    pub by_base: BTreeMap<String, (usize, usize)>,
}

impl Score {
    pub fn add(&mut self, s: &Series, classify: &dyn Fn(&[f64]) -> Vec<Label>) {
        let segments = s.segments();
        let labels: Vec<Vec<Label>> = segments.iter().map(|x| classify(x)).collect();
        let flat: Vec<Label> = labels.concat();
        assert_eq!(flat.len(), s.rr.len());
        let near = |i: usize| s.events.iter().any(|e| i + 1 >= e.1 && i <= e.2 + 1);
        for e in s.events.iter().filter(|e| e.0 != 'G') {
            let hit = (e.1.saturating_sub(1)..=(e.2 + 1).min(flat.len() - 1)).any(|i| !flat[i].is_normal());
            self.hits += usize::from(hit);
            self.events += 1;
            let k = self.kinds.entry(e.0).or_default();
            k.0 += usize::from(hit);
            k.1 += 1;
        }
        // A run of flags is one alarm; it is false if no event lies within one beat of any of it.
        let (mut i, mut alarms) = (0, 0);
        while i < flat.len() {
            let start = i;
            while i < flat.len() && !flat[i].is_normal() {
                i += 1;
            }
            if i > start && !(start..i).any(near) {
                alarms += 1;
            }
            i += 1;
        }
        self.false_runs += alarms;
        self.beats += flat.len();
        let base = self.by_base.entry(s.name.split("__").next().unwrap().to_owned()).or_default();
        if s.scenario == "clean" {
            self.clean_false += alarms;
            self.clean_beats += flat.len();
            base.0 += alarms;
            base.1 += flat.len();
        }
        let d: Vec<f64> = s.clean.windows(2).map(|w| w[1] - w[0]).collect();
        let truth = rmssd_of(&d);
        let got = rmssd_excluding(&segments, &labels);
        let err = if got.is_finite() { 100.0 * (got / truth - 1.0).abs() } else { 999.0 };
        self.errors.entry(s.scenario.clone()).or_default().push(err);
    }
    pub fn sensitivity(&self) -> f64 {
        self.hits as f64 / self.events as f64
    }
    pub fn ppv(&self) -> f64 {
        self.hits as f64 / (self.hits + self.false_runs) as f64
    }
    pub fn false_per_1000(&self) -> f64 {
        1000.0 * self.false_runs as f64 / self.beats as f64
    }
    pub fn clean_per_1000(&self) -> f64 {
        1000.0 * self.clean_false as f64 / self.clean_beats as f64
    }
    /// Quantile of the RMSSD error (%) over the scenarios that `keep` accepts; NaN without any.
    pub fn error(&self, q: f64, keep: impl Fn(&str) -> bool) -> f64 {
        let mut all: Vec<f64> = self.errors.iter().filter(|(k, _)| keep(k)).flat_map(|(_, v)| v.clone()).collect();
        all.sort_by(f64::total_cmp);
        all.len().checked_sub(1).map_or(f64::NAN, |last| all[(last as f64 * q).round() as usize])
    }
    /// Scenarios with at most 5 % of artifacts, small shifts apart.
    pub fn up_to_5(k: &str) -> bool {
        !matches!(k, "mixed10" | "misalign_small2")
    }
    pub fn report(&self, title: &str) {
        println!(
            "{title}: sens {:.4} PPV {:.4} false/1000 {:.2} clean {:.2} | <=5%: med {:.1} p90 {:.1} | small: med {:.1} p90 {:.1} | mixed10 {:.1}",
            self.sensitivity(),
            self.ppv(),
            self.false_per_1000(),
            self.clean_per_1000(),
            self.error(0.5, Self::up_to_5),
            self.error(0.9, Self::up_to_5),
            self.error(0.5, |k| k == "misalign_small2"),
            self.error(0.9, |k| k == "misalign_small2"),
            self.error(0.5, |k| k == "mixed10"),
        );
        let kinds: Vec<String> =
            self.kinds.iter().map(|(k, (h, n))| format!("{k} {:.3} ({h}/{n})", *h as f64 / *n as f64)).collect();
        println!("   {}", kinds.join("  "));
        let scen: Vec<String> = self
            .errors
            .keys()
            .map(|k| format!("{k} {:.1} ({:.0})", self.error(0.5, |x| x == k), self.error(0.9, |x| x == k)))
            .collect();
        println!("   {}", scen.join("  "));
        let bases: Vec<String> =
            self.by_base.iter().filter(|(_, v)| v.0 > 0).map(|(k, (f, n))| format!("{k} {f}/{n}")).collect();
        println!("   clean alarms: {}", bases.join("  "));
    }
}
