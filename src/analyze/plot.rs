//! A picture of a recording: tachogram with labels, Poincaré plot and spectrum, as one SVG without scripts or fonts.

use super::span::Span;
use super::stretch::{gap_length_s, is_interval};
use super::{Artifacts, Report, Series};
use crate::hrv::Why;
use crate::hrv::welch::Welch;
use std::fmt::Write;

const WIDTH: f64 = 1000.0;
/// Points that a plot shows at most; longer recordings show the extremes of each of as many stretches.
const MOST: usize = 2000;

/// One panel with its scales.
struct Panel {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Panel {
    fn x(&self, v: f64) -> f64 {
        self.left + self.width * (v - self.x.0) / (self.x.1 - self.x.0)
    }
    fn y(&self, v: f64) -> f64 {
        self.top + self.height * (1.0 - (v - self.y.0) / (self.y.1 - self.y.0))
    }
    fn frame(&self, out: &mut String, title: &str, x_label: &str, y_label: &str) {
        let (l, t, w, h) = (self.left, self.top, self.width, self.height);
        let _ = write!(
            out,
            "<rect x='{l}' y='{t}' width='{w}' height='{h}' fill='none' stroke='#888'/>\
             <text x='{l}' y='{}'>{title}</text><text x='{}' y='{}' text-anchor='end'>{x_label}</text>\
             <text x='{}' y='{}' text-anchor='end'>{y_label}</text>",
            t - 8.0,
            l + w,
            t + h + 32.0,
            l - 6.0,
            t - 8.0
        );
        for k in 0..=4 {
            let part = f64::from(k) / 4.0;
            let (x, y) = (self.x.0 + part * (self.x.1 - self.x.0), self.y.0 + part * (self.y.1 - self.y.0));
            let _ = write!(
                out,
                "<text x='{:.1}' y='{:.1}' text-anchor='middle'>{}</text><text x='{:.1}' y='{:.1}' text-anchor='end'>{}</text>",
                self.x(x),
                t + h + 16.0,
                tick(x),
                l - 6.0,
                self.y(y) + 4.0,
                tick(y)
            );
        }
    }
}

fn tick(v: f64) -> String {
    if v.abs() >= 10.0 { format!("{v:.0}") } else { format!("{v:.2}") }
}

/// Lowest and highest of the values, a little apart even if there is only one.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo.is_finite() && hi.is_finite() { (lo - 1.0, hi + 1.0) } else { (0.0, 1.0) }
}

fn colour(letter: char) -> &'static str {
    match letter {
        'M' => "#d62728",
        'X' => "#ff7f0e",
        'E' => "#9467bd",
        'L' => "#8c564b",
        'S' => "#e377c2",
        _ => "#7f7f7f",
    }
}

/// Draws the recording with the labels of its report.
pub fn svg(title: &str, series: &Series, report: &Report) -> String {
    let letters: Vec<char> = report.labels.chars().collect();
    let shown: Vec<usize> = (0..series.rr_ms.len()).filter(|i| letters.get(*i) != Some(&'G')).collect();
    let mut ends = Vec::with_capacity(series.rr_ms.len());
    let mut now = 0.0;
    let mut gaps = series.gaps.iter().peekable();
    for (i, rr) in series.rr_ms.iter().enumerate() {
        while let Some((_, gap_s)) = gaps.next_if(|g| g.0 <= i) {
            now += gap_length_s(*gap_s);
        }
        now += if is_interval(*rr) { rr / 1000.0 } else { 0.0 };
        ends.push(now);
    }
    let rr = |i: usize| series.rr_ms[i];
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} 760' font-family='sans-serif' font-size='12'>\
         <rect width='100%' height='100%' fill='white'/><text x='60' y='22' font-size='15'>{}</text>",
        escape(title)
    );

    let tachogram = Panel {
        left: 60.0,
        top: 60.0,
        width: 910.0,
        height: 260.0,
        x: (0.0, now.max(1.0)),
        y: range(shown.iter().map(|i| rr(*i))),
    };
    tachogram.frame(&mut out, "Intervals", "time, s", "ms");
    out.push_str("<polyline fill='none' stroke='#1f77b4' stroke-width='0.8' points='");
    for i in extremes(&shown, rr) {
        let _ = write!(out, "{:.1},{:.1} ", tachogram.x(ends[i]), tachogram.y(rr(i)));
    }
    out.push_str("'/>");
    for i in shown.iter().copied().filter(|i| letters.get(*i).is_some_and(|l| *l != 'N')).take(MOST) {
        let letter = letters[i];
        let _ = write!(
            out,
            "<circle cx='{:.1}' cy='{:.1}' r='3' fill='{}'><title>{letter}</title></circle>",
            tachogram.x(ends[i]),
            tachogram.y(rr(i)),
            colour(letter)
        );
    }
    for (k, (letter, name)) in
        [('M', "missed"), ('X', "extra"), ('E', "ectopic"), ('L', "long"), ('S', "short")].into_iter().enumerate()
    {
        let x = 500.0 + 95.0 * k as f64;
        let _ = write!(
            out,
            "<circle cx='{x}' cy='48' r='4' fill='{}'/><text x='{}' y='52'>{name}</text>",
            colour(letter),
            x + 8.0
        );
    }

    let normal = report.labelled.normal();
    let span = Span::of(&report.labelled, &normal, (0.0, report.duration_s), &report.options);
    let pairs: Vec<(f64, f64)> = span.segments.iter().flat_map(|s| s.pairs()).collect();
    let both = range(pairs.iter().flat_map(|p| [p.0, p.1]));
    let poincare = Panel { left: 60.0, top: 410.0, width: 290.0, height: 290.0, x: both, y: both };
    let title = match report.options.artifacts {
        Artifacts::Keep => "Poincaré, as it is",
        Artifacts::Exclude => "Poincaré, normal pairs",
        Artifacts::Correct => "Poincaré, corrected series",
    };
    poincare.frame(&mut out, title, "interval, ms", "next");
    let every = pairs.len().div_ceil(MOST).max(1);
    for (a, b) in pairs.iter().step_by(every) {
        let _ = write!(
            out,
            "<circle cx='{:.1}' cy='{:.1}' r='1.6' fill='#1f77b4' fill-opacity='0.5'/>",
            poincare.x(*a),
            poincare.y(*b)
        );
    }

    let spectrum = span.continuous(5.0).and_then(|rr| Welch::new().spectrum(rr, report.options.detrend));
    let density: Vec<(f64, f64)> = spectrum.as_ref().map_or_else(
        |_| Vec::new(),
        |s| (0..s.density.len()).map(|k| (s.hz(k), s.density[k])).take_while(|p| p.0 <= 0.5).collect(),
    );
    let highest = density.iter().map(|p| p.1).fold(1e-9, f64::max);
    let panel = Panel { left: 430.0, top: 410.0, width: 540.0, height: 290.0, x: (0.0, 0.5), y: (0.0, highest) };
    let name = match (&spectrum, report.options.artifacts) {
        (Err(Why::TooFew), _) => "Spectrum: too little data".to_owned(),
        (Err(why), _) => format!("Spectrum: {why}"),
        (Ok(_), Artifacts::Keep) => "Welch spectrum, as it is".to_owned(),
        (Ok(_), _) => "Welch spectrum, corrected series".to_owned(),
    };
    panel.frame(&mut out, &name, "frequency, Hz", "ms²/Hz");
    for edge in [0.04, 0.15, 0.40] {
        let x = panel.x(edge);
        let _ = write!(
            out,
            "<line x1='{x:.1}' x2='{x:.1}' y1='{}' y2='{}' stroke='#ccc'/>",
            panel.top,
            panel.top + panel.height
        );
    }
    out.push_str("<polyline fill='none' stroke='#2ca02c' points='");
    for (f, p) in density {
        let _ = write!(out, "{:.1},{:.1} ", panel.x(f), panel.y(p));
    }
    out.push_str("'/></svg>\n");
    out
}

/// Indices to draw: all, or those of the extremes of as many stretches as fit.
fn extremes(shown: &[usize], value: impl Fn(usize) -> f64) -> Vec<usize> {
    if shown.len() <= MOST {
        return shown.to_vec();
    }
    shown
        .chunks(shown.len().div_ceil(MOST / 2))
        .flat_map(|c| {
            let by = |a: &&usize, b: &&usize| value(**a).total_cmp(&value(**b));
            let mut two = [c.iter().min_by(by).copied().unwrap_or(c[0]), c.iter().max_by(by).copied().unwrap_or(c[0])];
            two.sort_unstable();
            two
        })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::{Options, analyze};
    use super::*;

    #[test]
    fn draws_any_length_in_bounded_size() {
        for n in [0, 1, 3, 300, 50_000] {
            let rr_ms =
                (0..n).map(|i| 900.0 + f64::from((i * 37) % 90) + if i % 97 == 50 { 400.0 } else { 0.0 }).collect();
            let series = Series { rr_ms, gaps: if n > 10 { vec![(7, 3.0)] } else { vec![] } };
            let text = svg("a <b>", &series, &analyze(&series, &Options::default()));
            assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"), "{n}");
            assert!(text.contains("a &lt;b&gt;") && !text.contains("NaN") && !text.contains("inf"), "{n}");
            assert!(text.len() < 600_000, "{n}: {}", text.len());
        }
    }
}
