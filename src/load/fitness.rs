//! Long and short memory of load: CTL, ATL and their difference.

/// Days over which the long average forgets.
pub const CTL_DAYS: f64 = 42.0;
/// Days over which the short one does.
pub const ATL_DAYS: f64 = 7.0;
/// Until this many days are in, the averages are still building up from 0.
pub const BUILDING_DAYS: usize = 42;

/// One step of an exponential average: `x + (w − x)(1 − e^(−1/days))`.
pub fn step(x: f64, load: f64, days: f64) -> f64 {
    x + (1.0 - (-1.0 / days).exp()) * (load - x)
}

/// The two averages after a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fitness {
    /// Chronic load: 42 days.
    pub ctl: f64,
    /// Acute load: 7 days.
    pub atl: f64,
    /// Form on the morning after: CTL − ATL of the last whole day. (The same day's difference is `ctl − atl` of the same
    /// entry; both forms are in use, so it is named here.)
    pub tsb: f64,
    /// Fewer than 42 days are in.
    pub building: bool,
}

/// After the last of these daily loads, starting from 0. `None` without any.
pub fn fitness(days: &[f64]) -> Option<Fitness> {
    if days.is_empty() {
        return None;
    }
    let run = |tau| days.iter().fold(0.0, |x, w| step(x, *w, tau));
    let (ctl, atl) = (run(CTL_DAYS), run(ATL_DAYS));
    Some(Fitness { ctl, atl, tsb: ctl - atl, building: days.len() < BUILDING_DAYS })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(days: &[f64]) -> Fitness {
        fitness(days).unwrap()
    }

    #[test]
    fn worked_courses() {
        let six_weeks = after(&[100.0; 42]);
        let rested = after(&[[100.0; 42].as_slice(), &[0.0; 7]].concat());
        for (got, want) in [
            (six_weeks.ctl, 63.212056),
            (after(&[100.0; 7]).atl, 63.212056),
            (rested.ctl, 53.50785),
            (six_weeks.tsb, -36.540069),
        ] {
            assert!((got - want).abs() < 1e-6, "{got} instead of {want}");
        }
        assert!(rested.tsb > 0.0 && !rested.building && after(&[100.0; 41]).building);
        assert_eq!(fitness(&[]), None);
    }
}
