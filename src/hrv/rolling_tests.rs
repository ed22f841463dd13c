use super::super::nn::Segment;
use super::*;
use proptest::prelude::*;

fn same(a: Metric, b: Metric) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1e-3),
        (a, b) => a == b,
    }
}

/// What the test remembers of a beat: when, what, and whether a gap came before it.
type Seen = (Mono, RrTicks, Label, bool);

/// The sums of a window, added up from scratch.
fn sums_of(all: &[Seen], from: usize) -> Sums {
    let mut sums = Sums::default();
    let usable = |k: usize| all[k].2.is_normal() && (all[k].3 || k == 0 || all[k - 1].2.is_normal());
    for k in from..all.len() {
        sums.beat(all[k].1.0, all[k].2.is_normal());
        if k > from && !all[k].3 && usable(k) && usable(k - 1) {
            sums.pair(all[k - 1].1.0, all[k].1.0);
        }
    }
    sums
}

/// The same window by the batch definition, in ms.
fn batch(all: &[Seen], from: usize) -> TimeDomain {
    let rr: Vec<f64> = all.iter().map(|b| b.1.as_ms()).collect();
    let labels: Vec<Label> = all.iter().map(|b| b.2).collect();
    let mut segments = Vec::new();
    let mut start = from;
    for k in from + 1..=all.len() {
        if k == all.len() || all[k].3 {
            let after = start > 0 && !all[start].3 && !labels[start - 1].is_normal();
            segments.push(Segment::new(&rr[start..k], &labels[start..k], after));
            start = k;
        }
    }
    TimeDomain::of(&segments)
}

proptest! {
    /// Live equals batch over the same beats, at every beat and in every window; the sums to the last bit.
    #[test]
    fn equals_batch(beats in proptest::collection::vec((1u16..2000, 0u8..12, 0u8..25), 1..400)) {
        let spans = [30, 7, 120].map(Duration::from_secs);
        let mut live = Windows::over(spans);
        let mut one = Rolling::new(spans[0]);
        // As after weeks: the running sums wrap within the test.
        (live.sums.ticks, live.sums.total_sum, live.sums.normal_squares) = (u32::MAX - 30_000, u32::MAX - 9_000, u64::MAX - 9_000_000);
        let mut at = Mono::from_secs(1000);
        let mut all: Vec<Seen> = Vec::new();
        for (ticks, bad, gap) in beats {
            if gap == 0 {
                live.gap();
                one.gap();
                at = at + Duration::from_secs(3);
            }
            let rr = RrTicks(ticks);
            at = at + Duration::from_micros(rr.as_micros());
            let label = if bad == 0 { Label::Ectopic } else { Label::Normal };
            live.push(at, rr, label);
            one.push(at, rr, label);
            all.push((at, rr, label, gap == 0));

            prop_assert_eq!(one.windows()[0], live.windows()[0]);
            for window in live.windows() {
                let span = i64::try_from(window.span().as_micros()).unwrap();
                let from = all.iter().position(|b| at.diff_micros(b.0) < span).unwrap();
                prop_assert_eq!(window.sums, sums_of(&all, from));
                let (want, got) = (batch(&all, from), window.time_domain());
                prop_assert_eq!((want.normal, want.pairs), (got.normal, got.pairs));
                for (w, g) in [
                    (want.mean_rr_ms, got.mean_rr_ms), (want.mean_hr_bpm, got.mean_hr_bpm), (want.sdnn_ms, got.sdnn_ms),
                    (want.rmssd_ms, got.rmssd_ms), (want.ln_rmssd, got.ln_rmssd), (want.sdsd_ms, got.sdsd_ms),
                    (want.pnn50_pct, got.pnn50_pct), (want.pnn20_pct, got.pnn20_pct), (want.sd1_ms, got.sd1_ms),
                    (want.sd2_ms, got.sd2_ms),
                ] {
                    prop_assert!(same(g, w), "{:?} {:?}", g, w);
                }
            }
        }
        live.advance(at + Duration::from_secs(121));
        for window in live.windows() {
            prop_assert!(window.is_empty());
            prop_assert_eq!((window.sums, window.artifact_pct()), (Sums::default(), None));
        }
    }
}

#[test]
fn shares_and_coverage() {
    let mut w = Rolling::new(Duration::from_secs(10));
    assert_eq!((w.artifact_pct(), w.coverage(), w.span().as_secs()), (None, 0.0, 10));
    for i in 1..=20u64 {
        w.push(Mono::from_secs(100 + i), RrTicks(1024), if i == 15 { Label::Long } else { Label::Normal });
    }
    assert_eq!((w.len(), w.artifact_pct(), w.coverage()), (10, Some(10.0), 1.0));
    assert_eq!(w.time_domain().pairs, 6);
    assert_eq!(w.time_domain().mean_rr_ms, Ok(1000.0));
}

/// More beats than the ring holds at first, and more than it ever holds.
#[test]
fn a_flood_of_beats_is_bounded() {
    let mut w = Windows::over(LIVE_SPANS);
    let mut all: Vec<Seen> = Vec::new();
    let mut at = Mono::from_secs(1000);
    for k in 0..20_000u32 {
        let rr = RrTicks(10 + (k % 7) as u16);
        at = at + Duration::from_millis(10);
        w.push(at, rr, Label::Normal);
        all.push((at, rr, Label::Normal, k == 0));
    }
    let lengths = w.windows().map(|w| w.len());
    assert_eq!(lengths, [3000, MOST - 1, MOST - 1]);
    assert_eq!(w.ring.len(), MOST);
    for window in w.windows() {
        assert_eq!(window.sums, sums_of(&all, all.len() - window.len()));
    }
}
