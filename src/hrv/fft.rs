//! Discrete Fourier transform of real values.
//!
//! rustfft's algorithms are put together here for the few kinds of length that this program uses. Its planner, which
//! knows how to transform any length, would bring 285 kB of algorithms that never run.

use rustfft::algorithm::butterflies::{
    Butterfly1, Butterfly2, Butterfly3, Butterfly4, Butterfly5, Butterfly6, Butterfly8, Butterfly12, Butterfly16,
};
use rustfft::algorithm::{GoodThomasAlgorithmSmall, Radix4};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftDirection::Forward, Length};
use std::f64::consts::TAU;
use std::sync::Arc;

/// X(k) = Σ x(n)·e^(−2πi·kn/N) for k from 0 to N/2, of N real values.
pub(super) struct RealFft {
    /// Half as long: even values are the real parts, odd ones the imaginary parts.
    half: Radix4<f64>,
    packed: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    /// −i·e^(−2πi·k/N) for k below N/4.
    turns: Vec<Complex<f64>>,
}

impl RealFft {
    /// Plans a transform of 2^j, 3·2^j or 5·2^j values, j at least 1.
    pub(super) fn new(values: usize) -> Self {
        let length = values / 2;
        let odd = length >> length.trailing_zeros();
        let (base, fours) = base_of(odd, length.trailing_zeros());
        let half = Radix4::new_with_base(fours, base);
        debug_assert_eq!(half.len() * 2, values, "a length that is not made of 2, 3 or 5");
        let zero = Complex::default();
        Self {
            packed: vec![zero; length],
            scratch: vec![zero; half.get_outofplace_scratch_len()],
            turns: (0..length.div_ceil(2)).map(|k| turn(k as f64 / values as f64)).collect(),
            half,
        }
    }

    /// How many values go in.
    pub(super) fn len(&self) -> usize {
        2 * self.packed.len()
    }

    /// Room for what comes out: N/2 + 1 values.
    pub(super) fn output(&self) -> Vec<Complex<f64>> {
        vec![Complex::default(); self.packed.len() + 1]
    }

    /// Transforms `values` into `out`, whose lengths are those of [`len`](Self::len) and [`output`](Self::output).
    pub(super) fn run(&mut self, values: &[f64], out: &mut [Complex<f64>]) {
        let length = self.packed.len();
        for (z, pair) in self.packed.iter_mut().zip(values.chunks_exact(2)) {
            *z = Complex::new(pair[0], pair[1]);
        }
        self.half.process_outofplace_with_scratch(&mut self.packed, &mut out[..length], &mut self.scratch);
        let first = out[0];
        out[0] = Complex::new(first.re + first.im, 0.0);
        out[length] = Complex::new(first.re - first.im, 0.0);
        // The transform of the even values is the part that is its own mirror image, that of the odd ones the rest.
        for (k, turn) in self.turns.iter().enumerate().skip(1) {
            let (low, high) = (out[k], out[length - k].conj());
            let (even, odd) = ((low + high) * 0.5, (low - high) * 0.5 * turn);
            out[k] = even + odd;
            out[length - k] = (even - odd).conj();
        }
        if length % 2 == 0 {
            out[length / 2] = out[length / 2].conj();
        }
    }
}

fn turn(part: f64) -> Complex<f64> {
    let (sin, cos) = (TAU * part).sin_cos();
    Complex::new(-sin, -cos)
}

/// The transform that is left when `odd`·2^`twos` is divided by 4 as often as it can be, or less often where a longer
/// base is quicker; and how often that was.
fn base_of(odd: usize, twos: u32) -> (Arc<dyn Fft<f64>>, u32) {
    match (odd, twos % 2 == 0) {
        (3, true) if twos == 0 => (Arc::new(Butterfly3::new(Forward)), 0),
        (3, true) => (Arc::new(Butterfly12::new(Forward)), twos / 2 - 1),
        (3, false) => (Arc::new(Butterfly6::new(Forward)), twos / 2),
        (5, true) => (Arc::new(Butterfly5::new(Forward)), twos / 2),
        (5, false) => {
            let (two, five) = (Arc::new(Butterfly2::new(Forward)), Arc::new(Butterfly5::new(Forward)));
            (Arc::new(GoodThomasAlgorithmSmall::new(two, five)), twos / 2)
        }
        (_, true) if twos == 0 => (Arc::new(Butterfly1::new(Forward)), 0),
        (_, true) if twos == 2 => (Arc::new(Butterfly4::new(Forward)), 0),
        (_, true) => (Arc::new(Butterfly16::new(Forward)), twos / 2 - 2),
        (_, false) if twos == 1 => (Arc::new(Butterfly2::new(Forward)), 0),
        (_, false) => (Arc::new(Butterfly8::new(Forward)), twos / 2 - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_definition_at_every_kind_of_length() {
        let lengths = [1, 2, 3, 5].map(|odd| (0..11).map(move |twos| odd << twos)).into_iter().flatten();
        for values in lengths.filter(|n| n % 2 == 0) {
            let x: Vec<f64> = (0..values).map(|n| (n as f64 * 0.7).sin() + f64::from(n as u32 * 37 % 11)).collect();
            let mut fft = RealFft::new(values);
            assert_eq!(fft.len(), values);
            let mut out = fft.output();
            for _ in 0..2 {
                fft.run(&x, &mut out);
            }
            assert_eq!(out.len(), values / 2 + 1);
            for (k, got) in out.iter().enumerate().step_by(1 + values / 97) {
                let (mut re, mut im) = (0.0, 0.0);
                for (n, x) in x.iter().enumerate() {
                    let (sin, cos) = (TAU * ((k * n) % values) as f64 / values as f64).sin_cos();
                    re += x * cos;
                    im -= x * sin;
                }
                let most = 1e-12 * values as f64;
                assert!((got.re - re).abs() < most && (got.im - im).abs() < most, "{values} {k}: {got} {re} {im}");
            }
        }
    }
}
