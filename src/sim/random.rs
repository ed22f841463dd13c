//! Chance and waves that come out the same on every machine: no function of the platform's mathematics library.

/// Seeded random numbers (xorshift64*; good enough for simulations).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed; every seed is a good one.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A second stream of the same seed that does not disturb the first one.
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut random = Self::new(seed ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03));
        random.uniform();
        random
    }

    fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Uniform in 0..1.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform among 0..n; 0 if n is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        (((self.next_u64() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// True this many times in a thousand.
    pub fn per_mille(&mut self, rate: u16) -> bool {
        self.below(1000) < u32::from(rate)
    }

    /// Standard normal by the sum of twelve uniforms.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Sine of a phase in whole turns; error below 1e-8.
pub fn sine(turns: f64) -> f64 {
    let f = turns - turns.floor();
    let q = if f < 0.25 {
        f
    } else if f < 0.75 {
        0.5 - f
    } else {
        f - 1.0
    };
    let y = q * std::f64::consts::TAU;
    let y2 = y * y;
    let mut sum = 0.0;
    for n in [13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        sum = (1.0 - sum) * y2 / (n * (n - 1.0));
    }
    y * (1.0 - sum)
}

/// A decay close to exp(-x) for x ≥ 0: (1 + x/64)^-64.
pub fn decay(x: f64) -> f64 {
    let mut y = 1.0 + x.max(0.0) / 64.0;
    for _ in 0..6 {
        y *= y;
    }
    1.0 / y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_is_the_sine() {
        for i in -2000..2000 {
            let x = f64::from(i) / 777.0;
            assert!((sine(x) - (x * std::f64::consts::TAU).sin()).abs() < 1e-8, "{x}");
        }
    }

    #[test]
    fn decay_falls_from_one() {
        assert_eq!(decay(0.0), 1.0);
        assert!((decay(1.0) - (-1.0f64).exp()).abs() < 0.004);
        assert!(decay(1e9) >= 0.0 && decay(1e9) < 1e-9);
    }

    #[test]
    fn chance_is_fair_and_repeatable() {
        let mut r = Random::new(7);
        let n = 100_000;
        let hits = (0..n).filter(|_| r.per_mille(250)).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
        let (mut s, mut s2) = (0.0, 0.0);
        for _ in 0..n {
            let x = r.normal();
            s += x;
            s2 += x * x;
        }
        assert!((s / f64::from(n)).abs() < 0.02 && (s2 / f64::from(n) - 1.0).abs() < 0.03);
        // pinned: the same numbers on every machine
        let mut r = Random::stream(1, 2);
        assert_eq!([r.below(1000), r.below(1000), r.below(1000)], PINNED);
        assert_ne!(Random::stream(1, 2).uniform(), Random::stream(1, 3).uniform());
    }

    const PINNED: [u32; 3] = [551, 196, 237];
}
