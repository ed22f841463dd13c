//! How often readiness raises its voice for nothing: people whose every number is noise around their own usual, and,
//! so that silence alone is no success, people who overreach and people who fall ill.
//!
//! The table of `docs/readiness.md`: `cargo test --release --test readiness_population -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use hrvd::readiness::{Day, FlagId, Level, MODELS, Model, V1, V2, assess};

/// xorshift64*, seeded: the same people on every machine.
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
    fn between(&mut self, a: f64, b: f64) -> f64 {
        a + (b - a) * self.uniform()
    }
    /// Standard normal: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
    fn yes(&mut self, p: f64) -> bool {
        self.uniform() < p
    }
}

/// What really happens to a person, beside noise.
#[derive(Clone, Copy, PartialEq)]
enum Truth {
    Nothing,
    /// Seven days in four weeks: HRV down 1 SD, pulse up 1.2 SD, every item of wellness up 1.
    Overreaching,
    /// Three days in four weeks: HRV down 1.5 SD, pulse up 2.5 SD, every item up 1.5.
    Ill,
}

const WARM_UP: usize = 91;
const YEAR: usize = 365;

struct Person {
    ln: Vec<Option<f64>>,
    rhr: Vec<Option<f64>>,
    sleep: Vec<Option<f64>>,
    hooper: Vec<Option<f64>>,
    items: Vec<[f64; 4]>,
    load: Vec<f64>,
    since_hard: Vec<f64>,
    affected: Vec<bool>,
}

/// A year of a person, after three months that fill the baseline. Day 0 is a Monday.
fn live(c: &mut Chance, truth: Truth) -> Person {
    let n = WARM_UP + YEAR;
    let (ln_mean, ln_sd, phi) = (c.between(3.3, 4.6), c.between(0.12, 0.28), c.between(0.2, 0.55));
    let (rhr_mean, rhr_sd) = (c.between(44.0, 66.0), c.between(1.8, 4.0));
    let (sleep_mean, sleep_sd) = (7.4 + 0.5 * c.normal(), c.between(0.5, 1.0));
    let item_mean = c.between(2.0, 3.2);
    let weekday: Vec<f64> = (0..7).map(|_| 0.3 * c.normal()).collect();
    let (cutbacks, diligence) = (c.yes(0.5), c.between(0.8, 1.0));
    let plan = [0.0, 85.0, 45.0, 60.0, 0.0, 120.0, 40.0];
    let scale = c.between(0.5, 1.5);
    let mut p = Person {
        ln: vec![],
        rhr: vec![],
        sleep: vec![],
        hooper: vec![],
        items: vec![],
        load: vec![],
        since_hard: vec![],
        affected: vec![],
    };
    let (mut a, mut b, mut mood) = (c.normal(), c.normal(), c.normal());
    let fresh = |x: f64, e: f64| phi * x + (1.0 - phi * phi).sqrt() * e;
    let mut away = 0;
    let mut last_hard: Option<f64> = None;
    for d in 0..n {
        let (e, shared) = (c.normal(), c.normal());
        a = fresh(a, e);
        // resting heart rate goes against HRV: r about -0.5
        b = fresh(b, -0.5 * e + 0.866 * shared);
        mood = 0.3 * mood + 0.954 * c.normal();
        let length = match truth {
            Truth::Nothing => 0,
            Truth::Overreaching => 7,
            Truth::Ill => 3,
        };
        let hit = d % 28 < length && d >= 28;
        let (da, db, di) = match truth {
            _ if !hit => (0.0, 0.0, 0.0),
            Truth::Overreaching => (-1.0, 1.2, 1.0),
            _ => (-1.5, 2.5, 1.5),
        };
        if away == 0 && c.yes(0.01) {
            away = 3 + (c.uniform() * 8.0) as usize;
        }
        away = usize::saturating_sub(away, 1);
        let there = away == 0 && !c.yes(0.12);
        let w = weekday[d % 7];
        p.ln.push(there.then_some(ln_mean + ln_sd * (a + w + da)));
        p.rhr.push(there.then_some(rhr_mean + rhr_sd * (b - 0.5 * w + db)));
        let weekend = if d % 7 >= 5 { 0.6 } else { 0.0 };
        let slept = (sleep_mean + weekend + sleep_sd * c.normal()).clamp(2.0, 12.0);
        p.sleep.push((!c.yes(0.1)).then_some(slept));
        let items = [(); 4].map(|()| (item_mean + di + 0.5 * mood + 0.7 * c.normal()).round().clamp(1.0, 7.0));
        p.items.push(items);
        p.hooper.push((there && !c.yes(0.1)).then_some(items.iter().sum()));
        p.affected.push(hit);
        // the check is at 7, quality on Tuesday at 18, the long run on Saturday at 10
        p.since_hard.push(last_hard.map_or(1e4, |t| 24.0 * d as f64 + 7.0 - t));
        let cut = if cutbacks && (d / 7) % 4 == 3 { 0.6 } else { 1.0 };
        let ran = plan[d % 7] > 0.0 && c.yes(diligence);
        let load = if ran { scale * cut * plan[d % 7] * (0.25 * c.normal()).exp() } else { 0.0 };
        p.load.push(load);
        if ran && matches!(d % 7, 1 | 5) {
            last_hard = Some(24.0 * d as f64 + if d % 7 == 1 { 18.0 } else { 10.0 });
        }
    }
    p
}

impl Person {
    fn day(&self, d: usize) -> Day {
        let cut = |s: &[Option<f64>]| s[d.saturating_sub(60)..=d].to_vec();
        Day {
            ln_rmssd: cut(&self.ln),
            rhr: cut(&self.rhr),
            sleep_h: cut(&self.sleep),
            hooper: cut(&self.hooper),
            hooper_items: if self.hooper[d].is_some() { self.items[d].to_vec() } else { vec![] },
            load: self.load[..d].to_vec(),
            hours_since_hard: Some(self.since_hard[d]),
            ..Day::default()
        }
    }
}

#[derive(Default)]
struct Shares {
    days: f64,
    levels: [f64; 5],
    flags: Vec<f64>,
    /// Days on which something really was the matter: all, at least CAUTION, at least EASY.
    hit: [f64; 3],
}

impl Shares {
    fn level(&self, l: Level) -> f64 {
        100.0 * self.levels[l as usize] / self.days
    }
    fn flag(&self, f: FlagId) -> f64 {
        100.0 * self.flags[f as usize] / self.days
    }
}

fn population(people: u64, truth: Truth, model: &Model) -> Shares {
    let mut s = Shares { flags: vec![0.0; FlagId::ALL.len()], ..Shares::default() };
    for seed in 0..people {
        let c = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut c = c;
        for _ in 0..20 {
            c.uniform();
        }
        let p = live(&mut c, truth);
        for d in WARM_UP..WARM_UP + YEAR {
            let v = assess(&p.day(d), model);
            s.days += 1.0;
            s.levels[v.level as usize] += 1.0;
            for f in &v.flags {
                s.flags[f.id as usize] += 1.0;
            }
            if p.affected[d] && d % 28 >= 1 {
                let severity = v.level.severity().unwrap_or(0);
                s.hit[0] += 1.0;
                s.hit[1] += f64::from(u8::from(severity >= 1));
                s.hit[2] += f64::from(u8::from(severity >= 2));
            }
        }
    }
    s
}

fn print(people: u64) {
    let noise: Vec<Shares> = MODELS.iter().map(|m| population(people, Truth::Nothing, m)).collect();
    println!("{people} person-years of noise, share of days in %");
    let row = |name: &str, f: &dyn Fn(&Shares) -> f64| {
        let cells: Vec<String> = noise.iter().map(|s| format!("{:.1}", f(s))).collect();
        println!("| {name} | {} |", cells.join(" | "));
    };
    for l in Level::ALL {
        row(l.as_str(), &|s| s.level(*l));
    }
    for f in FlagId::ALL {
        row(f.as_str(), &|s| s.flag(*f));
    }
    for (name, truth) in [("overreaching, from the second day", Truth::Overreaching), ("ill", Truth::Ill)] {
        let cells: Vec<String> = MODELS
            .iter()
            .map(|m| population(people / 10, truth, m))
            .map(|s| format!("{:.0} / {:.0}", 100.0 * s.hit[1] / s.hit[0], 100.0 * s.hit[2] / s.hit[0]))
            .collect();
        println!("| {name}: CAUTION or more / EASY or more | {} |", cells.join(" | "));
    }
}

#[test]
#[ignore = "minutes: the table of the documentation"]
fn ten_thousand_person_years() {
    print(10_000);
    promises(&population(10_000, Truth::Nothing, &V2));
}

fn promises(s: &Shares) {
    let loud = s.level(Level::Easy) + s.level(Level::Rest);
    assert!(loud <= 3.0, "EASY and REST on {loud:.2} % of days of noise");
    assert!(s.level(Level::Go) >= 75.0, "GO on {:.2} % of days of noise", s.level(Level::Go));
}

#[test]
fn version_2_keeps_quiet_on_noise_and_still_sees() {
    let quiet = population(60, Truth::Nothing, &V2);
    promises(&quiet);
    assert!(quiet.level(Level::Go) < 99.0, "it says something");
    let seen = |truth| {
        let s = population(40, truth, &V2);
        100.0 * s.hit[1] / s.hit[0]
    };
    let (over, ill) = (seen(Truth::Overreaching), seen(Truth::Ill));
    assert!(over > 38.0 && ill > 62.0, "overreaching seen on {over:.0} %, illness on {ill:.0} % of days");
    // why there is a version 2
    assert!(population(20, Truth::Nothing, &V1).level(Level::Go) < 75.0);
}

#[test]
#[ignore = "for tuning"]
fn a_small_table() {
    print(300);
}
