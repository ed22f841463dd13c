//! Load of a session from its heart rates.
//!
//! Formulas, constants and sources: `docs/readiness.md`. Always per sample: the mean heart rate of a session gives less,
//! because the weights grow faster than heart rate.

/// Which pair of constants Banister's formula uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pair {
    /// 0.64 and 1.92; also where nothing is known.
    #[default]
    Men,
    /// 0.86 and 1.67.
    Women,
}

/// The heart rates between which a session is placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeartRates {
    /// Resting heart rate, bpm.
    pub rest: f64,
    /// Maximum heart rate, bpm.
    pub max: f64,
}

/// A stretch of time at one heart rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Its length, min.
    pub minutes: f64,
    /// Heart rate, bpm.
    pub hr: f64,
}

impl Sample {
    fn is_usable(&self) -> bool {
        self.minutes > 0.0 && self.minutes.is_finite() && self.hr > 0.0 && self.hr.is_finite()
    }
}

/// Banister's training impulse, arbitrary units: minutes × x × a·e^(b·x), x the share of the heart rate reserve in 0..1.
/// `None` if there is no reserve or no usable sample.
pub fn banister(samples: &[Sample], rates: HeartRates, pair: Pair) -> Option<f64> {
    let reserve = rates.max - rates.rest;
    let (a, b) = match pair {
        Pair::Men => (0.64, 1.92),
        Pair::Women => (0.86, 1.67),
    };
    let usable: Vec<&Sample> = samples.iter().filter(|s| s.is_usable()).collect();
    if usable.is_empty() || !(reserve > 0.0 && reserve.is_finite()) {
        return None;
    }
    let one = |s: &&Sample| {
        let x = ((s.hr - rates.rest) / reserve).clamp(0.0, 1.0);
        s.minutes * x * a * (b * x).exp()
    };
    Some(usable.iter().map(one).sum())
}

/// Minutes in Edwards' five zones: 50–60, 60–70, 70–80, 80–90 and 90–100 % of the maximum. What lies below counts in
/// none, what lies above the maximum in the fifth.
pub fn zone_minutes(samples: &[Sample], max_hr: f64) -> [f64; 5] {
    let mut zones = [0.0; 5];
    for s in samples.iter().filter(|s| s.is_usable()) {
        let share = s.hr / max_hr;
        let zone = ((share - 0.5) * 10.0 + 1e-9).floor();
        if share.is_finite() && zone >= 0.0 {
            zones[(zone as usize).min(4)] += s.minutes;
        }
    }
    zones
}

/// Edwards' load: minutes in the five zones, weighted 1 to 5.
pub fn edwards(zones: &[f64; 5]) -> f64 {
    by_zone(zones)
}

/// Lucia's load: minutes below, between and above the two ventilatory thresholds, weighted 1 to 3.
pub fn lucia(zones: &[f64; 3]) -> f64 {
    by_zone(zones)
}

/// A minute counts as much as the number of its zone.
fn by_zone(minutes: &[f64]) -> f64 {
    minutes.iter().zip(1..).map(|(m, w)| m * f64::from(w)).sum()
}

/// Session RPE: perceived exertion (CR10, 0 to 10) times minutes.
pub fn srpe(rpe: f64, minutes: f64) -> f64 {
    rpe * minutes
}

/// Load as a share of an hour at threshold heart rate, in %, so that heart rate and power can be compared.
pub fn of_threshold_hour(trimp: f64, threshold_hr: f64, rates: HeartRates, pair: Pair) -> Option<f64> {
    let hour = banister(&[Sample { minutes: 60.0, hr: threshold_hr }], rates, pair)?;
    (hour > 0.0).then(|| 100.0 * trimp / hour)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: HeartRates = HeartRates { rest: 50.0, max: 190.0 };

    fn steady(minutes: f64, hr: f64, pair: Pair) -> f64 {
        banister(&[Sample { minutes, hr }], RATES, pair).unwrap()
    }

    #[test]
    fn worked_sessions() {
        for (got, want) in [
            (steady(60.0, 150.0, Pair::Men), 108.095359),
            (steady(60.0, 150.0, Pair::Women), 121.499066),
            (steady(30.0, 175.0, Pair::Men), 95.189278),
            (edwards(&[10.0, 20.0, 15.0, 10.0, 5.0]), 160.0),
            (lucia(&[40.0, 15.0, 5.0]), 85.0),
            (srpe(7.0, 60.0), 420.0),
        ] {
            assert!((got - want).abs() < 1e-6, "{got} instead of {want}");
        }
    }

    #[test]
    fn per_sample_is_more_than_of_the_mean() {
        let parts = [Sample { minutes: 30.0, hr: 120.0 }, Sample { minutes: 30.0, hr: 180.0 }];
        assert!(banister(&parts, RATES, Pair::Men).unwrap() > 1.1 * steady(60.0, 150.0, Pair::Men));
    }

    #[test]
    fn heart_rates_outside_of_the_reserve_are_its_ends() {
        assert_eq!(steady(60.0, 40.0, Pair::Men), 0.0);
        assert_eq!(steady(60.0, 230.0, Pair::Men), steady(60.0, 190.0, Pair::Men));
    }

    #[test]
    fn no_number_from_nothing() {
        let some = Sample { minutes: 1.0, hr: 150.0 };
        assert_eq!(banister(&[], RATES, Pair::Men), None);
        assert_eq!(banister(&[some], HeartRates { rest: 60.0, max: 60.0 }, Pair::Men), None);
        assert_eq!(banister(&[some], HeartRates { rest: f64::NAN, max: 190.0 }, Pair::Men), None);
        let junk = [Sample { minutes: f64::NAN, hr: 150.0 }, Sample { minutes: 1.0, hr: f64::INFINITY }, some];
        assert_eq!(banister(&junk, RATES, Pair::Men), banister(&[some], RATES, Pair::Men));
    }

    #[test]
    fn zones_begin_at_their_lower_end() {
        let at = |hr| zone_minutes(&[Sample { minutes: 1.0, hr }], 200.0).iter().position(|m| *m > 0.0);
        let got = [99.0, 100.0, 119.0, 120.0, 140.0, 160.0, 180.0, 200.0, 230.0].map(at);
        assert_eq!(got, [None, Some(0), Some(0), Some(1), Some(2), Some(3), Some(4), Some(4), Some(4)]);
        assert_eq!(zone_minutes(&[Sample { minutes: 1.0, hr: 150.0 }], 0.0), [0.0; 5]);
        let hour_at_threshold = steady(60.0, 170.0, Pair::Men);
        assert_eq!(of_threshold_hour(hour_at_threshold, 170.0, RATES, Pair::Men), Some(100.0));
    }
}
